/** The domain whose manifest a key of KV holds; null for every other key. */
export const manifestOf = (key: string): string | null => /^domain\/(.+)$/.exec(key)?.[1] ?? null;
