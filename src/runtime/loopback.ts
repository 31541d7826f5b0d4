/** Whether a host name or address, such as that of a URL, is this host: nothing between can listen. */
export const isLoopback = (hostname: string): boolean =>
  /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/.test(hostname);
