export type {
  AuthorizeEvent,
  DisconnectEvent,
  PublishChange,
  PublishEvent,
  SubscribeEvent,
} from './core/hooks.js';
export type { Bus } from './core/neighbours/bus.js';
export type { Action } from './core/policy/action.js';
export type { Caller, Identity } from './core/policy/policy.js';
export type { Revocation } from './core/session/revocations.js';
export type { ErrorCode } from './protocol/codes.js';
export type { Producer } from './protocol/commands.js';
export type { Position, Start } from './protocol/offset.js';
export { formatOffset, makeEpoch, parseOffset } from './protocol/offset.js';
export { Refused } from './protocol/refused.js';
export { BEGINNING, NOW } from './protocol/version.js';
export type { ChannelInfo, ChannelRegistry } from './server/api/channels.js';
export type { History, HistoryOptions, Message, PublishOptions } from './server/api/messages.js';
export type { ListOptions, SessionInfo, SessionRegistry } from './server/api/sessions.js';
export type { Stats } from './server/api/stats.js';
export type { AppOptions } from './server/app.js';
export { createApp, replaceCertificate } from './server/app.js';
export type { DrainOptions, RevokeOptions } from './server/earshot.js';
export { Earshot } from './server/earshot.js';
export type { TlsOptions } from './server/http/tls.js';
export type {
  ConnectEvent,
  ConnectIdentity,
  HandleProtocols,
  Hooks,
  UpgradeInfo,
  VerifyClient,
} from './server/options/hooks.js';
export type { EarshotOptions } from './server/options/options.js';
export { OptionsError } from './server/options/options.js';
export { earshot, earshot as default } from './server/plugin.js';
export { openLmdbStore } from './server/store.js';
export type { Creation, Fork, Lifetime } from './store/creation.js';
export { FolderFault } from './store/lmdb/folder/fault.js';
export type { LmdbStoreOptions } from './store/lmdb/lmdb-store.js';
export type { MemoryStoreOptions } from './store/memory/memory-store.js';
export { MemoryStore } from './store/memory/memory-store.js';
export type { MessageData, NewMessage, StoredMessage } from './store/message.js';
export { Closed, Fenced, OutOfSequence } from './store/refusals.js';
export { DEFAULT_RETENTION } from './store/retention.js';
export type {
  Appended,
  ChannelStat,
  Page,
  ReadBound,
  Retention,
  Store,
  Tail,
  Watcher,
} from './store/store.js';
