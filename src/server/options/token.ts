import * as z from 'zod';
import { secretText } from './fields.js';

/** The signatures that may be asked for: no `none`, and nothing that is broken. */
export const ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

/** Who is believed: the keys of one issuer. */
const keys = {
  secret: z
    .union([secretText('the shared secret'), z.array(secretText('a shared secret')).min(1).max(8)])
    .optional()
    .meta({
      description:
        'the shared secret that tokens are signed with, or several while one replaces another; one of fewer than 32 bytes is warned of',
      secret: true,
    }),
  publicKey: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(8)])
    .optional()
    .describe('the public key of who signs tokens, or several: PEM (SPKI or X.509), or a JWK as JSON text'),
  jwksUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("the address of the issuer's keys (JWKS); https, or http on loopback"),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .optional()
    .describe(
      'the algorithms that are accepted; default: HS256 for a secret, RS256, PS256, ES256 and EdDSA for public keys',
    ),
  audience: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(8)])
    .optional()
    .describe('what the `aud` of a token must name, one of these'),
};

const issuer = z.string().min(1);

export const token = z.strictObject({
  ...keys,
  issuer: issuer.optional().describe('what the `iss` of a token must be'),
  issuers: z
    .array(z.strictObject({ ...keys, issuer: issuer.describe('what the `iss` of its tokens must be') }))
    .max(8)
    .optional()
    .describe('further issuers, each with keys of its own; a key holds for its own issuer only'),
  clockToleranceMs: z
    .int()
    .min(0)
    .max(300_000)
    .default(0)
    .describe('by how much the clocks of issuers may differ from ours, for `exp` and `nbf`'),
  cookie: z
    .string()
    .min(1)
    .optional()
    .describe('the name of a cookie that may carry the token; the Origin must then be on the list'),
  query: z
    .boolean()
    .default(false)
    .describe('whether ?token= may carry the token; it ends up in the logs of proxies'),
});
