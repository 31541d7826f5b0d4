/** The server of all other domains, and the one behind of our pages. */
export const WORLD = "203.0.113.25";
export const MAILBOXES = "192.0.2.10";
