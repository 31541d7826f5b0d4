import { toHex } from "../directory/index.ts";

/* Domains for trials of a deployment. They end in .invalid, which is reserved: nobody can own one. */

/** The domain of one trial. @param random eight bytes, so that no two trials share a domain */
export const trialDomain = (random: Uint8Array): string => `rollcall-doctor-${toHex(random)}.invalid`;

/** Whether a domain belongs to a trial. */
export const isTrialDomain = (domain: string): boolean =>
  /^rollcall-doctor-[0-9a-f]{16}\.invalid$/.test(domain);
