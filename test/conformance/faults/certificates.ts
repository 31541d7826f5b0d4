import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What can be wrong with the certificate of an edge. */
export const CERTIFICATES = ["good", "wrong name", "expired", "unknown authority"] as const;
export type CertificateName = (typeof CERTIFICATES)[number];

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Certificates for 127.0.0.1. */
export interface Certificates {
  /** File with the authority that front ends trust. */
  readonly authority: string;
  readonly of: Readonly<Record<CertificateName, Certificate>>;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
/** Seconds that openssl may show on its output are of no interest. */
const openssl = (folder: string, ...args: string[]): void =>
  void execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });

/** Makes an authority and its certificates with openssl. @param folder to write them to */
export function makeCertificates(folder: string): Certificates {
  for (const name of ["authority", "stranger"]) {
    const subject = ["-subj", `/CN=${name}`, "-days", "2"];
    openssl(folder, "req", "-x509", ...EC, "-keyout", `${name}.key`, "-out", `${name}.pem`, ...subject);
  }
  const make = (name: string, by: string, subject: string, validity: readonly string[]): Certificate => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${subject}\n`);
    openssl(
      folder,
      "req",
      "-new",
      ...EC,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      "/CN=edge",
    );
    const signer = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-extfile", `${name}.ext`];
    openssl(folder, "x509", "-req", "-in", `${name}.csr`, ...signer, "-out", `${name}.pem`, ...validity);
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    return { key: read(`${name}.key`), cert: read(`${name}.pem`) };
  };
  const now = ["-days", "1"];
  const past = ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"];
  return {
    authority: join(folder, "authority.pem"),
    of: {
      good: make("good", "authority", "IP:127.0.0.1", now),
      "wrong name": make("other", "authority", "DNS:other.example", now),
      expired: make("old", "authority", "IP:127.0.0.1", past),
      "unknown authority": make("foreign", "stranger", "IP:127.0.0.1", now),
    },
  };
}
