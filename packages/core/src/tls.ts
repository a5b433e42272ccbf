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
 * @param orElse another way to name an authority
 */
export function certificateTrouble(code: string | undefined, orElse?: string): string | null {
  if (code === undefined) return null;
  if (UNKNOWN_SIGNER.has(code)) {
    return (
      `its certificate is signed by no authority that Node knows (${code}). If that is your own authority, name it: ` +
      `NODE_EXTRA_CA_CERTS=/path/to/ca.pem${orElse === undefined ? '' : `, or ${orElse}`}`
    );
  }
  if (WRONG_TIME.has(code))
    return `its certificate is not valid now (${code}). Renew it, or set the clock of this machine.`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name (${code}). Use the name that the certificate has.`;
  return null;
}

const ASKS_FOR_CERTIFICATE = new Set([
  'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
]);
const UNKNOWN_CLIENT_SIGNER = new Set([
  'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
]);

/**
 * What a server does not like about the certificate of this client, by the code of Node's error; null when it is something
 * else.
 */
export function clientCertificateTrouble(code: string | undefined): string | null {
  if (code === undefined) return null;
  if (ASKS_FOR_CERTIFICATE.has(code)) return `it asks for a client certificate (${code})`;
  if (UNKNOWN_CLIENT_SIGNER.has(code))
    return `it does not accept the client certificate, which is signed by none of its authorities (${code})`;
  if (code === 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED')
    return `the client certificate has expired (${code})`;
  return null;
}

/** True for a host that is this machine, on the way to which nobody else can listen in. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (isIP(name) === 0) return name === 'localhost' || name.endsWith('.localhost');
  return name === '::1' || name.startsWith('127.');
}
