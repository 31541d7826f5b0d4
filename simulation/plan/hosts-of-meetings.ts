/** What meetings have happen to a mail host with a replica. */
import { type Meeting, placeOf } from "./meeting.ts";
import { type HostTrouble, SECOND } from "./plan.ts";

/** Has a replica start beside an isolate of its own. @returns its focus */
export function begin(
  meeting: Meeting,
  at: number,
  lasts: number,
  { covers = null, acceptGrace }: { covers?: readonly string[] | null; acceptGrace?: number } = {},
): number {
  const focus = meeting.isolate(at, lasts + SECOND);
  meeting.add(at, {
    kind: "bridge",
    location: placeOf(focus),
    focus,
    covers,
    ...(acceptGrace === undefined ? {} : { acceptGrace }),
  });
  host(meeting, focus, at + lasts, { what: "end" });
  return focus;
}

export const host = ({ add }: Meeting, focus: number, at: number, trouble: HostTrouble): void =>
  add(at, { kind: "host", focus, trouble });

export const asks = (
  meeting: Meeting,
  focus: number,
  from: number,
  later: readonly number[],
  count = 6,
): void => {
  for (const ms of later) meeting.askBridge(focus, from + ms, count);
};

export const restart = (
  meeting: Meeting,
  focus: number,
  at: number,
  how: "killed" | "power fails",
  clock = 0,
): void => host(meeting, focus, at, { what: "off", how, ms: 100, clock });

export const away = (meeting: Meeting, focus: number, from: number, ms: number): void =>
  meeting.fault("edge away", from, ms, { location: placeOf(focus) });
