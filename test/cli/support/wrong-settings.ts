/** Every error of rollcall.toml: where it is, a file with it, and the beginning of the message. */
export const WRONG_SETTINGS: readonly (readonly [where: string, file: string, message: string])[] = [
  ["TOML", '[domains."a.example"]\nlist = \n', "rollcall.toml:2: "],
  [
    "a kind of source",
    '[sources.s]\nkind = "fax"\n',
    "rollcall.toml:2: kind must be one of command, dovecot, file, ",
  ],
  ["a source without a kind", '[sources.s]\npath = "a"\n', "rollcall.toml:1: kind is missing"],
  [
    "a setting of a source",
    '[sources.s]\nkind = "file"\npath = "a"\ncolums = 1\n',
    "rollcall.toml:4: unknown setting colums; known here: kind, preset, other_domains, minimum, max_left_out, path, format, columns, separator, states",
  ],
  [
    "a value of a source",
    '[sources.s]\nkind = "file"\npath = "a"\nstates = { x = "gone" }\n',
    "rollcall.toml:4: x must name states: active, disabled, full, moved",
  ],
  [
    "a source that is not there",
    '[domains."a.example"]\nsources = ["s"]\n',
    "rollcall.toml:1: names source s, but there is no [sources.s]",
  ],
  [
    "a list beside sources",
    '[sources.s]\nkind = "file"\npath = "a"\n[domains."a.example"]\nlist = "a"\nsources = ["s"]\n',
    'rollcall.toml:4: has list and sources: make the file a source too, with kind = "file"',
  ],
  [
    "a key at the top",
    "\nkeep_list = true\n",
    "rollcall.toml:2: unknown setting keep_list; known here: url, keep_lists",
  ],
  [
    "a key of a domain",
    '[domains."a.example"]\nlist = "a"\nlsit = "b"\n',
    "rollcall.toml:3: unknown setting lsit",
  ],
  [
    "a key of the defaults",
    "[defaults]\nlist = 'a'\n",
    "rollcall.toml:2: unknown setting list; known here: mode",
  ],
  ["a mode", "[defaults]\nmode = 'off'\n", 'rollcall.toml:2: mode must be "observe", "defer" or "enforce"'],
  [
    "a grace",
    "[defaults]\n# x\ngrace = -1\n",
    "rollcall.toml:3: grace must be a whole number from 0 to 2592000",
  ],
  [
    "a guard",
    '[domains."a.example"]\nlist="a"\nguard = 20\n',
    "rollcall.toml:3: guard must be a number from 0 to 1",
  ],
  ["a kind", "keep_lists = 'no'\n", "rollcall.toml:1: keep_lists must be true or false"],
  ["a table that is a list", "defaults = []\n", "rollcall.toml:1: defaults must be a table"],
  ["the bridge's table that is a list", "bridge = []\n", "rollcall.toml:1: bridge must be a table"],
  ["all sources that are a list", "sources = []\n", "rollcall.toml:1: sources must be tables such as"],
  ["all domains that are a list", "domains = []\n", "rollcall.toml:1: domains must be tables such as"],
  [
    "a domain's table that is a list",
    "defaults.alias = 'b.example'\ndomains.'a.example' = []\n",
    "rollcall.toml:2: a.example must be a table",
  ],
  [
    "words of states that are a list",
    "[sources.s]\nkind = 'file'\npath = 'a.csv'\nstates = []\n",
    "rollcall.toml:4: states must be a table of the source's words and what they mean",
  ],
  [
    "shells that are a list",
    "[sources.s]\nkind = 'passwd'\nshells = []\n",
    "rollcall.toml:3: shells must be a table of shells and states",
  ],
  ["a table", "defaults = 1\n", "rollcall.toml:1: defaults must be a table"],
  ["a domain's table", "[domains]\n'a.example' = 1\n", "rollcall.toml:2: a.example must be a table"],
  [
    "canaries",
    '[domains."a.example"]\nlist="a"\ncanaries = "x"\n',
    "rollcall.toml:3: canaries must be a list of addresses",
  ],
  ["a name", '[domains."a b"]\nlist = "a"\n', 'rollcall.toml:1: "a b" is not a domain name'],
  ["a missing list", '[domains."a.example"]\n', "rollcall.toml:1: list is missing"],
  [
    "a canary",
    '[domains."a.example"]\nlist="a"\ncanaries = ["x@b.example"]\n',
    "rollcall.toml:1: canary x@b.example is not an address of a.example",
  ],
  [
    "an alias with a list",
    '[domains."a.example"]\nlist="a"\nalias="b.example"\n',
    "rollcall.toml:1: has a list and an alias",
  ],
  [
    "canaries of an alias",
    '[domains."a.example"]\nalias="b.example"\ncanaries=["x@a.example"]\n',
    "rollcall.toml:1: has canaries and an alias",
  ],
  [
    "the spelling of an alias",
    '[domains."a.example"]\nalias="B.example"\n',
    "rollcall.toml:2: alias must be a domain in lower-case",
  ],
  [
    "a domain of the bridge",
    "[bridge]\ndomain = { x = 1 }\n",
    'rollcall.toml:2: domain must be domain names, and {"x":1} is not one',
  ],
];
