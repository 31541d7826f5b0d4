/** What a person should know about a plan: it informs, and stops nothing. */
import {
  type Difference,
  type DomainPolicy,
  losesUnnamed,
  type Mode,
  milderMode,
} from "../directory/index.ts";
import type { Base } from "./base.ts";
import type { ReadSources } from "./source-counts.ts";

/** What was said of a domain. */
interface Said {
  readonly mode?: Mode;
  readonly initialMode?: Mode | undefined;
  readonly settingsMode?: Mode | undefined;
  readonly sources?: ReadSources | undefined;
}

/** What a plan makes of a domain. */
interface Made {
  /** The head; null for a new domain. */
  readonly live: Base | null;
  readonly policy: DomainPolicy;
  readonly mode: Mode;
  readonly hasPostmaster: boolean;
  /** Null if names cannot be compared. */
  readonly difference: Difference | null;
}

/** A sentence each. */
export const notesOn = (said: Said, made: Made): readonly string[] => [
  ...modeNotes(said, made),
  ...policyNotes(made),
  ...sourceNotes(said, made),
];

/** Of a new domain whose mode nobody said. */
export const UNSAID_MODE =
  'new, and nothing says in which mode it starts, so in observe: every recipient is accepted. To reject unknown ones, publish with --enforce, or set mode = "enforce" in rollcall.toml';

function modeNotes({ mode: said, initialMode, settingsMode }: Said, { live, mode }: Made): string[] {
  if (live === null) return said === undefined && initialMode === undefined ? [UNSAID_MODE] : [];
  if (said === undefined && settingsMode !== undefined && milderMode(settingsMode, mode) !== settingsMode) {
    return [
      `stays in ${mode} mode, although rollcall.toml says ${settingsMode}: only a person makes it stricter, with \`rollcall mode DOMAIN ${settingsMode}\`, or publish --${settingsMode}`,
    ];
  }
  const { wouldRefuse = null } = live;
  if (wouldRefuse === null || milderMode(live.mode, mode) === mode) return [];
  const fate = mode === "defer" ? "deferred" : "refused";
  return [
    `${mode} mode would have ${fate} about ${wouldRefuse} distinct names in the last day; if there is backscatter, most of them are rightly unknown`,
  ];
}

function policyNotes({ live, policy, hasPostmaster, difference }: Made): string[] {
  const notes: string[] = [];
  if (policy.alias === null && !hasPostmaster) {
    notes.push(
      policy.postmaster
        ? "the list has no postmaster; mail to it is accepted anyway, so make sure that someone receives it"
        : "the list has no postmaster, and the policy does not accept it either; RFC 5321 requires it",
    );
  }
  if (policy.case === "sensitive") {
    notes.push(
      "case is sensitive, but the tables of Postfix, OpenSMTPD and Stalwart ask in lower case: names with capitals are refused there. With Postfix, use the policy service",
    );
  }
  if (live !== null && difference === null) {
    notes.push(
      "made under another key, case or dots setting: names cannot be compared, so that the domain refuses nobody for the departure grace",
    );
  } else if (live !== null && losesUnnamed(live, { keyId: live.keyId, policy })) {
    notes.push(
      "may refuse recipients that no list names, so that the domain refuses nobody for the departure grace",
    );
  }
  // Names that leave with the commit that lowers the grace still have the longer one.
  if (policy.grace === 0 && live?.policy.grace === 0 && (difference?.removed ?? 0) > 0) {
    notes.push("grace is 0: names that leave are refused at once");
  }
  return notes;
}

function sourceNotes({ sources }: Said, { live }: Made): string[] {
  if (live === null || sources === undefined || sources.last !== null || sources.counts.length < 2) return [];
  return [
    "this host does not know what the sources gave last, so they are not compared; set a minimum in their tables",
  ];
}
