/**
 * Settings of a source for products whose schema is known: `preset = "mailcow"` beside the settings of the connection. Any of
 * them can be set differently. The queries mean what the product's own Postfix looks up.
 */
type Settings = Readonly<Record<string, unknown>>;

/** Rows of several tables as one list: a name that one of them accepts is accepted. */
const anyOf = (rows: readonly string[]): string =>
  `SELECT address, CASE WHEN MAX(accepts) > 0 THEN 'active' ELSE 'disabled' END AS state FROM (${rows.join(
    " UNION ALL ",
  )}) listed GROUP BY address`;

const SEVERAL_DOMAINS = { other_domains: "skip" };
const query = (rows: readonly string[]): Settings => ({ ...SEVERAL_DOMAINS, query: anyOf(rows) });

const flag = (column: string): string => `CASE WHEN ${column} THEN 1 ELSE 0 END AS accepts`;

/** `alias` has a row for each mailbox, for each alias, and `@domain` for a catch-all. */
const postfixadmin = query([
  `SELECT address, ${flag("active")} FROM alias`,
  `SELECT username, ${flag("active")} FROM mailbox`,
]);

/** A mailbox with active = 2 receives mail and may not log in. Temporary aliases are in spamalias. */
const mailcow = query([
  "SELECT address, active > 0 AS accepts FROM alias",
  "SELECT username, active > 0 FROM mailbox",
  "SELECT address, 1 FROM spamalias",
]);

/** `forwardings` has every recipient that is not a mailing list; the name of a domain as address is its catch-all. */
const iredmail = query([
  `SELECT username AS address, ${flag("active = 1")} FROM mailbox`,
  `SELECT CASE WHEN address LIKE '%@%' THEN address ELSE CONCAT('@', address) END, CASE WHEN active = 1 THEN 1 ELSE 0 END FROM forwardings`,
  "SELECT address, CASE WHEN active = 1 THEN 1 ELSE 0 END FROM maillists",
]);

/**
 * Mailu delivers to users who may not log in, too. An alias with wildcards is no address: it is a fault, since leaving it out
 * would refuse mail that Mailu accepts.
 */
const mailu = (user: string, concat: (text: string, column: string) => string): Settings => ({
  ...SEVERAL_DOMAINS,
  query: `SELECT email AS address FROM ${user} UNION ALL SELECT CASE WHEN wildcard THEN ${concat("wildcard alias ", "email")} ELSE email END FROM alias`,
});
const joined = (text: string, column: string): string => `'${text}' || ${column}`;

/** By preset and kind of source. */
export const PRESETS: Readonly<Record<string, Readonly<Record<string, Settings>>>> = {
  postfixadmin: { mariadb: postfixadmin, postgresql: postfixadmin, sqlite: postfixadmin },
  mailcow: { mariadb: mailcow },
  iredmail: {
    mariadb: iredmail,
    postgresql: iredmail,
    ldap: {
      ...SEVERAL_DOMAINS,
      // Of an external user, the shadow addresses are ours.
      filter:
        "(|(objectClass=mailUser)(objectClass=mailList)(objectClass=mailAlias)(objectClass=mailExternalUser))",
      attributes: ["mail", "shadowAddress"],
      state_attribute: "accountStatus",
    },
  },
  mailu: {
    sqlite: mailu('"user"', joined),
    postgresql: mailu('"user"', joined),
    mariadb: mailu("`user`", (text, column) => `CONCAT('${text}', ${column})`),
  },
  "active-directory": {
    ldap: {
      ...SEVERAL_DOMAINS,
      filter: "(proxyAddresses=smtp:*)",
      attributes: ["proxyAddresses"],
      // The accounts of shared mailboxes, rooms and equipment are disabled, and Exchange delivers to them.
      // From the root of a domain, the server refers to partitions that hold no mailboxes.
      referrals: "ignore",
      page_size: 1000,
    },
  },
  "google-workspace": {
    // The Directory API.
    http: {
      ...SEVERAL_DOMAINS,
      url: "https://admin.googleapis.com/admin/directory/v1/users?customer=my_customer&maxResults=500",
      items: "/users",
      addresses: ["/primaryEmail", "/aliases/*"],
      state: "/suspended",
      states: { true: "disabled", false: "active" },
      next_token: "/nextPageToken",
      token_parameter: "pageToken",
      // All users may just fill a page.
      ignore: ["?maxResults"],
    },
    // "Download users" in the Admin console.
    file: {
      ...SEVERAL_DOMAINS,
      format: "csv",
      columns: { address: "Email Address [Required]", state: "Status [READ ONLY]" },
      states: { active: "active", suspended: "disabled", archived: "disabled" },
    },
  },
  "microsoft-365": {
    // Microsoft Graph. Users without a mailbox have no address.
    http: {
      ...SEVERAL_DOMAINS,
      url: "https://graph.microsoft.com/v1.0/users?$select=proxyAddresses&$top=999",
      items: "/value",
      addresses: ["/proxyAddresses/*"],
      without_address: "skip",
      next_url: "/@odata.nextLink",
      ignore: ["?$top"],
    },
    // "Export users" in the admin center. Sign-in is blocked for shared mailboxes, too, which receive mail.
    file: { ...SEVERAL_DOMAINS, format: "csv", columns: { address: "Proxy addresses" }, separator: "+" },
  },
};

/** Settings with what their preset says about the others. */
export function withPreset(input: unknown): unknown {
  if (typeof input !== "object" || input === null) return input;
  const { preset, kind } = input as { readonly preset?: unknown; readonly kind?: unknown };
  const kinds = typeof preset === "string" && Object.hasOwn(PRESETS, preset) ? PRESETS[preset] : undefined;
  const known =
    typeof kind === "string" && kinds !== undefined && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  return { ...known, ...input };
}

/** The presets of a kind, for messages. */
export const presetsOf = (kind: string): readonly string[] =>
  Object.keys(PRESETS).filter((preset) => Object.hasOwn(PRESETS[preset] as object, kind));
