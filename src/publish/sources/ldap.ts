import type { Client, ClientOptions, Entry } from "ldapts";
import * as v from "valibot";
import { PublishError } from "../errors.ts";
import { readOver } from "./connection.ts";
import { loadDriver } from "./driver.ts";
import { kind, type SourceHost } from "./kind.ts";
import { EntryReader } from "./ldap-entry.ts";
import { readSecret, secretSettings } from "./secret.ts";
import { TIMEOUT_SETTING, textSetting } from "./settings.ts";
import type { SourceSink } from "./source.ts";
import { STATES_SETTING, stateWords } from "./states.ts";
import { TLS_SETTINGS, tlsOptions } from "./tls.ts";

const URL_FORM = 'must be such as "ldaps://dc.example.com" or "ldap://localhost:389"';
const PAGE = "must be a number of entries, from 2 to 100000";

/**
 * `kind = "ldap"`: entries of an LDAP directory or of Active Directory, page by page (RFC 2696). Every value of the
 * attributes is a mailbox; of proxyAddresses, those with the prefix `smtp:`.
 */
export const ldap = kind({
  settings: {
    url: v.pipe(v.string(URL_FORM), v.regex(/^ldaps?:\/\/[^/?#@]+\/?$/, URL_FORM)),
    ...TLS_SETTINGS,
    bind_dn: v.optional(textSetting("must be the name to bind with")),
    ...secretSettings("password"),
    base: textSetting("must be the name at which the search starts"),
    filter: textSetting("must be a filter, such as (objectClass=person)"),
    attributes: v.optional(
      v.pipe(
        v.array(textSetting("must be names of attributes"), "must be a list of attributes"),
        v.nonEmpty("must name one"),
      ),
      () => ["mail"],
    ),
    state_attribute: v.optional(textSetting("must be the name of an attribute")),
    states: STATES_SETTING,
    account_control: v.optional(v.boolean("must be true or false"), false),
    referrals: v.optional(v.picklist(["refuse", "ignore"], 'must be "refuse" or "ignore"'), "refuse"),
    page_size: v.optional(
      v.pipe(v.number(PAGE), v.integer(PAGE), v.minValue(2, PAGE), v.maxValue(100_000, PAGE)),
      500,
    ),
    timeout: TIMEOUT_SETTING,
  },
  open: (settings, host) => ({
    describe: () => `${host.shown} (${settings.url})`,
    async read(sink, signal) {
      const { timeout } = settings;
      const { Client } = await loadDriver<{ Client: new (options: ClientOptions) => Client }>(
        "ldapts",
        "8",
        host,
      );
      await readOver(timeout, host, signal, async (limited) => {
        const client = await connect(Client, settings, host);
        return {
          read: () => search(client, settings, host, sink, limited),
          cut: () => void client.unbind().catch(() => undefined),
          faultOf: (error) => ldapFault(host, error),
        };
      });
    },
  }),
});

type Settings = v.InferOutput<v.StrictObjectSchema<typeof ldap.settings, undefined>>;

async function connect(
  Driver: new (options: ClientOptions) => Client,
  settings: Settings,
  host: SourceHost,
): Promise<Client> {
  const { url, bind_dn, timeout } = settings;
  const { hostname, protocol } = new URL(url);
  const tls = tlsOptions(settings, hostname, host);
  if (protocol === "ldaps:" && tls === null && settings.tls === false) {
    throw new PublishError(
      "input",
      `${host.shown}: tls = false does not fit ${url}`,
      "use ldap://, or remove it",
    );
  }
  const password = readSecret("password", settings, host);
  if ((bind_dn === undefined) !== (password === null)) {
    throw new PublishError(
      "input",
      `${host.shown} has ${bind_dn === undefined ? "a password and no bind_dn" : "a bind_dn and no password"}`,
      "set both, with password_file or password_env, or none for an anonymous search",
    );
  }
  const verified = { ...(tls ?? { rejectUnauthorized: true }), host: hostname };
  const milliseconds = timeout * 1000;
  const client = new Driver({
    url,
    timeout: milliseconds,
    connectTimeout: Math.min(milliseconds, 60_000),
    ...(protocol === "ldaps:" ? { tlsOptions: verified } : {}),
  });
  try {
    if (protocol === "ldap:" && tls !== null) await client.startTLS(verified);
    if (bind_dn !== undefined && password !== null) await client.bind(bind_dn, password);
  } catch (error) {
    await client.unbind().catch(() => undefined);
    throw ldapFault(host, error);
  }
  return client;
}

/** @throws PublishError `input` for a result that is not whole */
async function search(
  client: Client,
  settings: Settings,
  host: SourceHost,
  sink: SourceSink,
  signal: AbortSignal,
): Promise<void> {
  const { page_size, attributes, state_attribute, account_control, referrals, states } = settings;
  const wanted = [...attributes, state_attribute, account_control ? "userAccountControl" : undefined];
  const names = wanted.filter((name) => name !== undefined);
  const reader = new EntryReader(settings, stateWords(states), host, sink);
  const { entries, isAmbiguous } = await eachEntry(
    client,
    settings,
    page_size,
    names,
    signal,
    (entry) => reader.take(entry),
    (urls) => {
      if (referrals === "ignore") return;
      throw new PublishError(
        "input",
        `${host.shown}: the server refers to another one for a part of the result`,
        'read that server too, or set referrals = "ignore" if it has no mailboxes',
        urls.slice(0, 5),
      );
    },
  );
  if (entries === 0) await requireNone(client, settings, host);
  if (entries > 0 && reader.addresses === 0) {
    throw new PublishError(
      "input",
      `${host.shown}: none of ${entries} entries has an address in ${attributes.join(", ")}`,
      "check attributes, and the rights of bind_dn to read them",
    );
  }
  if (!isAmbiguous) return;
  // The driver takes an empty page for the end, also if the server says that more pages follow (RFC 2696 allows that).
  // Pages of another size end elsewhere, so the same number of entries means that the result was whole.
  const again = await eachEntry(
    client,
    settings,
    otherSize(page_size, entries),
    ["1.1"],
    signal,
    () => undefined,
    () => undefined,
  );
  if (again.entries === entries && !again.isAmbiguous) return;
  throw new PublishError(
    "input",
    `${host.shown}: the server sent an empty page, and the result may not be whole (${entries} entries)`,
    "set another page_size",
  );
}

/** The largest smaller size with which the last page of so many entries is not full. */
function otherSize(pageSize: number, entries: number): number {
  for (let size = pageSize - 1; size > 1; size--) if (entries % size !== 0) return size;
  return entries + 1;
}

/**
 * Searches once more without pages if they had no entry: the driver takes an empty page for the end, also if the first one is
 * empty and others follow. One entry is enough to know.
 * @throws PublishError `input` if there is one
 */
async function requireNone(
  client: Client,
  { base, filter }: Pick<Settings, "base" | "filter">,
  { shown }: SourceHost,
): Promise<void> {
  const { searchEntries } = await client.search(base, {
    scope: "sub",
    filter,
    attributes: ["1.1"],
    sizeLimit: 1,
  });
  if (searchEntries.length === 0) return;
  throw new PublishError(
    "input",
    `${shown}: the server sent an empty page, and the result may not be whole`,
    "set another page_size",
  );
}

/**
 * Searches, page by page.
 * @returns the number of entries, and whether an empty page ended them after others
 */
async function eachEntry(
  client: Client,
  { base, filter }: Pick<Settings, "base" | "filter">,
  pageSize: number,
  attributes: readonly string[],
  signal: AbortSignal,
  take: (entry: Entry) => void,
  referred: (urls: readonly string[]) => void,
): Promise<{ entries: number; isAmbiguous: boolean }> {
  let entries = 0;
  let last = -1;
  const options = { scope: "sub" as const, filter, attributes: [...attributes], paged: { pageSize } };
  for await (const { searchEntries, searchReferences } of client.searchPaginated(base, options)) {
    signal.throwIfAborted();
    if (searchReferences.length > 0) referred(searchReferences);
    for (const entry of searchEntries) take(entry);
    entries += searchEntries.length;
    last = searchEntries.length + searchReferences.length;
  }
  return { entries, isAmbiguous: last === 0 && entries > 0 };
}

function ldapFault({ shown }: SourceHost, error: unknown): PublishError {
  const { code, name, message } = error as { code?: unknown; name?: string; message?: string };
  // The library adds the result in hexadecimal.
  const what =
    message
      ?.replace(/\s+/g, " ")
      .replace(/ ?Code: 0x[0-9a-f]+$/, "")
      .trim() ||
    name ||
    String(error);
  const number = typeof code === "number" ? ` (LDAP result ${code})` : "";
  return new PublishError(
    "input",
    `${shown} was not read to its end: ${what}${number}; nothing of it was used`,
    code === SIZE_LIMIT
      ? "the server allows fewer entries than the search finds: raise the limit for this bind_dn, or allow it paged results"
      : "check the server, bind_dn and its rights, base and filter",
  );
}

/** sizeLimitExceeded (RFC 4511, 4.1.9). */
const SIZE_LIMIT = 4;
