import { CHANNEL_ROUTES } from './channels.js';
import { MESSAGE_ROUTES } from './messages.js';
import type { AdminRoute } from './route.js';
import { answer, requestOf, route } from './route.js';
import { named } from './schemas.js';
import { SESSION_ROUTES } from './sessions.js';

/** Below the prefix. */
export const ADMIN_PATH = '/v1/admin';

/** Everything that the operator may ask. The one table: Fastify's routes and the OpenAPI document come from it. */
export const ADMIN_ROUTES: readonly AdminRoute[] = [
  route({
    method: 'GET',
    path: '/stats',
    operationId: 'getStats',
    summary: 'What this node holds',
    request: requestOf({}),
    answers: { 200: { description: 'The numbers of this moment.', schema: named.Stats } },
    refusals: [],
    run: (earshot) => answer(200, earshot.stats()),
  }),
  ...CHANNEL_ROUTES,
  ...MESSAGE_ROUTES,
  ...SESSION_ROUTES,
];
