/** What editors show about a setting of rollcall.toml. Those of `[bridge]` have their help texts. */

type Texts = Readonly<Record<string, string>>;

export const FILE_TEXTS: Texts = {
  url: "URL of the edge. The option --url and ROLLCALL_URL override it. Tokens do not belong in this file",
  keep_lists:
    "Whether this host stores the names of the list that it published last, so that a plan can show names",
  bridge: "`rollcall bridge` on the mail host",
  defaults: "Settings of every domain that does not override them",
  sources: "Where lists come from: one table for each source",
  domains: "One table for each domain whose list is published",
};

export const DOMAIN_TEXTS: Texts = {
  list: "The list, as a file: CSV if it ends in .csv, otherwise one address per line. The path starts from this file's folder",
  sources: "Names of tables [sources.NAME], whose lists are merged",
  mode: "observe: accept every recipient, and record what would be rejected; defer: tell senders to try again later; enforce: reject",
  patched: "What a publish does with single changes (rollcall add, remove, …) that the list does not reflect",
  canaries: "Addresses that every list must accept",
  minimum: "Fewest names that the list must accept",
  must_not_appear: "Addresses with which no list is published",
  delimiters: "Characters that start a subaddress, as in john+news; empty for none",
  catchall: "Accept every local part",
  case: "sensitive: John and john are two mailboxes",
  dots: "ignored: j.ohn and john are one mailbox",
  postmaster: "Accept postmaster even if it is not in the list",
  alias: "Another domain, whose list answers for this one",
  text: "Added to every rejection, such as the address of a help page",
  grace:
    "Seconds for which a name that left the list is deferred before it is rejected; 0: it is rejected at once",
  guard: "Share of accepted names that may leave within 24 hours without --force",
};

/** Settings of sources; those of one kind, and of tables within, as `KIND.NAME`. */
export const SOURCE_TEXTS: Texts = {
  kind: "The kind of source",
  preset: "Settings for a product whose schema is known",
  other_domains:
    "skip: the source lists several domains, and addresses of the others are left out; refuse: such an address is a fault",
  minimum: "Fewest addresses that the source must give, for all domains of this file together",
  max_left_out:
    "Most rows that the source may leave out, such as those of domains that this file does not name",
  states: 'What the source\'s words mean, such as { yes = "active", locked = "disabled" }',
  columns: 'The columns with the address and the state, such as { address = "mail", state = "locked" }',
  "columns.address": "The column with the address",
  "columns.state": "The column with the state",
  timeout: "Seconds within which the whole source must have been read",
  tls: "Whether the connection is encrypted, and the certificate verified; the default is yes, unless the server is on this host",
  ca_file: "PEM file with the certificate authority of the server",
  password_file: "File that contains the password",
  password_env: "Environment variable with the password",
  query: "Yields a column address, and state if the database knows states",
  "file.path": "The list; the path starts from this file's folder",
  "file.format": "By default CSV if the name ends in .csv or .csv.gz, or if columns is set",
  "file.separator":
    "What separates several addresses in one field, which are then taken as in proxyAddresses",
  "command.command": "The program and its arguments; it runs without a shell",
  "command.format": "What the program prints: one address per line, CSV, or one JSON object per line",
  "postfix.map": 'The table as main.cf names it, such as "lmdb:/etc/postfix/relay_recipients"',
  "postfix.table": "aliases: a table as in aliases(5)",
  "postfix.bare_names": "What keys without a domain are: a fault, left out, or names of this domain",
  "passwd.path": "A file in the format of passwd(5), instead of the users that NSS knows",
  "passwd.uid_min": "Lowest user id of a mailbox",
  "passwd.uid_max": "Highest user id of a mailbox",
  "passwd.shells":
    'States by login shell, such as { "/usr/sbin/nologin" = "disabled" }; "skip" leaves these users out',
  "dovecot.passwd_file": "A passwd-file, instead of `doveadm user`",
  "postgresql.url": '"postgresql://USER@HOST:PORT/DATABASE", without a password',
  "mariadb.host": "The server",
  "mariadb.port": "The port of the server",
  "mariadb.socket": "The server's unix socket",
  "mariadb.user": "A user who may read the tables",
  "mariadb.database": "The database",
  "sqlite.path": "The database; the path starts from this file's folder",
  "ldap.url":
    "ldaps://HOST, or ldap://HOST, which is encrypted with StartTLS unless the server is on this host",
  "ldap.bind_dn": "The account to bind as; without it the search is anonymous",
  "ldap.base": "Where the search starts; it includes everything below",
  "ldap.filter": "Which entries are mailboxes",
  "ldap.attributes": "Attributes with addresses. Of proxyAddresses, values with the prefix smtp:",
  "ldap.state_attribute": "An attribute with the state, whose words `states` explains",
  "ldap.account_control": "Whether bit 2 of userAccountControl means disabled. Not with Exchange",
  "ldap.referrals": "ignore: the servers to which this one refers have no mailboxes",
  "ldap.page_size": "Entries in a page; Active Directory allows 1000",
  "http.url": "The first page. https, except on this host",
  "http.token_file": "File that contains the bearer token",
  "http.token_env": "Environment variable with the bearer token",
  "http.token_command": "A program that prints the bearer token, and its arguments",
  "http.oauth": "Gets a token with client credentials (RFC 6749)",
  "oauth.token_url": "The token endpoint",
  "oauth.client_id": "The id of the client",
  "oauth.client_secret_file": "File that contains the secret of the client",
  "oauth.client_secret_env": "Environment variable with the secret of the client",
  "oauth.scope": "What the token is for",
  "http.items": "JSON pointer to the list in each page",
  "http.addresses": "JSON pointers to the addresses in an item; * means every item of an array",
  "http.state": "JSON pointer to the state in an item; a flag is the word true or false",
  "http.next_url": "JSON pointer to the URL of the next page",
  "http.next_token": "JSON pointer to the token of the next page",
  "http.token_parameter": "The parameter of the URL that takes the token of the next page",
  "http.pages":
    "none: one answer has all items. Otherwise next_url, or next_token and token_parameter, must be set",
  "http.without_address": "skip: items without an address are left out; refuse: such an item is a fault",
  "http.ignore":
    'What looks like a sign of more pages or of an error, and is none, such as ["/meta/total", "x-total", "?limit"]',
};
