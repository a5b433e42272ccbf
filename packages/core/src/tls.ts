import { isIP } from 'node:net';

const UNKNOWN_SIGNER = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
const WRONG_TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/**
 * What is wrong with the certificate of a server, and what to do about it, by the code of Node's error; null when it is
 * something else.
 */
export function certificateTrouble(code: string | undefined): string | null {
  if (code === undefined) return null;
  if (UNKNOWN_SIGNER.has(code)) {
    return (
      `its certificate is signed by nobody that Node knows (${code}). If that is your own authority, name it: ` +
      `NODE_EXTRA_CA_CERTS=/path/to/ca.pem`
    );
  }
  if (WRONG_TIME.has(code))
    return `its certificate is not valid now (${code}). Renew it, or set the clock of this machine.`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name (${code}). Use the name that the certificate has.`;
  return null;
}

/** True for a host that is this machine, on the way to which nobody else can listen in. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (isIP(name) === 0) return name === 'localhost' || name.endsWith('.localhost');
  return name === '::1' || name.startsWith('127.');
}
