// @ts-check
// The texts about the package that Debian's tools read.

const MAINTAINER = `${process.env.DEBFULLNAME ?? "Rollcall maintainers"} <${process.env.DEBEMAIL ?? "maintainers@rollcall.invalid"}>`;

/** @param {string} version @param {number} size KiB */
export const control = (version, size) => `Package: rollcall
Version: ${version}
Architecture: all
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: nodejs (>= 20.19~), ca-certificates, init-system-helpers (>= 1.54~), systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles
Suggests: postfix | exim4-daemon-light | sendmail-bin | opensmtpd
Section: mail
Priority: optional
Description: recipient checks at RCPT TO for mail servers
 Rollcall tells a mail server, while the SMTP client is still waiting,
 whether a recipient exists, so that mail to unknown recipients is refused
 and never bounced to a forged sender.
 .
 This package has the command rollcall, and the bridge, which answers the
 lookups of Postfix, Exim, Sendmail and OpenSMTPD on this host and asks an
 edge that runs on Cloudflare Workers.
`;

/** @param {string} version @param {number} epoch seconds since 1970 */
export const changelog = (version, epoch) => `rollcall (${version}) unstable; urgency=medium

  * Built from the sources of this release; changelog.gz has its changes.

 -- ${MAINTAINER}  ${new Date(epoch * 1000).toUTCString().replace("GMT", "+0000")}
`;

/**
 * @param {string} licence our own
 * @param {string} bundled the licences of the packages inside the command, as scripts/licences.mjs writes them
 */
export function copyright(licence, bundled) {
  const packages = bundled.split(/^={78}\n\n/m).map((part) => {
    const [head = "", ...text] = part.trim().split("\n");
    // Debian has this text itself, and wants no copies of it.
    return head.includes("(Apache-2.0)")
      ? `${head}\n\nThe Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0.`
      : [head, ...text].join("\n");
  });
  const rule = "-".repeat(78);
  return `Rollcall\n\n${licence.trim()}\n\n${rule}\n\n/usr/lib/rollcall/rollcall.mjs contains these packages:\n\n${packages.join(`\n\n${rule}\n\n`)}\n`;
}
