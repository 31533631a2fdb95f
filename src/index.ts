export type { Action, Caller, Policy } from './core/policy.js';
export type { ErrorCode } from './protocol/codes.js';
export { Refused } from './protocol/refused.js';
export type { AppOptions } from './server/app.js';
export { createApp } from './server/app.js';
export type { SessionInfo, SessionRegistry } from './server/earshot.js';
export { Earshot } from './server/earshot.js';
export type { EarshotOptions, HandleProtocols, UpgradeInfo, VerifyClient } from './server/options.js';
export { OptionsError } from './server/options.js';
export { earshot, earshot as default } from './server/plugin.js';
export type { MemoryStoreOptions } from './store/memory.js';
export { MemoryStore } from './store/memory.js';
export type {
  Appended,
  NewMessage,
  Page,
  ReadBound,
  Retention,
  Store,
  StoredMessage,
  Tail,
  Watcher,
} from './store/store.js';
