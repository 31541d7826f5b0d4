import { toHex } from "../directory/index.ts";

/* The domains on which `rollcall doctor` tries a deployment: nobody can have one, since .invalid is reserved. */

/** A trial's own domain. @param random eight bytes, so that no two trials meet */
export const trialDomain = (random: Uint8Array): string => `rollcall-doctor-${toHex(random)}.invalid`;

/** Whether a domain is one of a trial. */
export const isTrialDomain = (domain: string): boolean =>
  /^rollcall-doctor-[0-9a-f]{16}\.invalid$/.test(domain);
