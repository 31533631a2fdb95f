/**
 * The lobby: everything that Earshot's client does, in one page. It joins the channel with what was said
 * before, shows who is here, and lets you cut the line to see it come back complete.
 */
import { connect } from './earshot.js';
import { element, Log, nameTag } from './lobby-log.js';
import { Ledger, prove, sentence } from './lobby-proof.js';

/** @typedef {import('./lobby-proof.js').Cut} Cut */

const CHANNEL = 'lobby';
/** How long a connection that was cut by its button stays away. */
const AWAY_MS = 10_000;
const TICK_MS = 250;
const MAX_NAMED = 50;

/** @param {string} id */
function part(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const url = new URL('ws', document.baseURI);
url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

const text = /** @type {HTMLTextAreaElement} */ (part('text'));
const log = new Log({
  scroller: part('scroller'),
  sheet: part('sheet'),
  messages: part('messages'),
  pending: part('pending'),
  pill: part('pill'),
  empty: part('empty'),
});
const ledger = new Ledger();
const client = connect(url.href);
const lobby = client.subscribe(CHANNEL, { offset: '-1', presence: true });

/** Every name that this page has had: without a token it is the address and port, new on each connection. */
const names = new Set();
let hasJoined = false;
/** @type {Cut | undefined} */
let cut;
/** When the next attempt begins, where that is known. */
let backAtMs = 0;
let isCutByHand = false;
let unread = 0;

// What is said

lobby.on('message', (message) => {
  ledger.note(message.offset);
  log.add(message, names.has(message.from));
  if (document.hidden && hasJoined) titled(unread + 1);
});

lobby.on('gap', () => log.mark('some of what was said here is no longer kept'));

lobby.on('ended', (error) => {
  log.mark(
    error ? `the subscription has ended: ${error.message}` : 'the lobby is closed: nothing will follow',
  );
});

// the end for good is told by the subscription too
client.on('error', ({ message }) => client.state === 'closed' || log.mark(`error: ${message}`));

lobby.on('resumed', ({ resume }) => {
  if (!hasJoined) joined();
  else if (cut) resumed(cut, resume);
  cut = undefined;
});

/** The tail tells what was said before from what is said now. What was said before may come after its answer. */
async function joined() {
  hasJoined = true;
  try {
    const { offset: tail } = await client.history(CHANNEL, { offset: 'now', limit: 1 });
    await ledger.until(() => (lobby.offset ?? '') >= tail);
    log.begin(tail);
  } catch {
    log.begin(lobby.offset ?? '');
  }
}

// What is said by you

part('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const typed = text.value.trim();
  if (typed === '') return;
  text.value = '';
  say(typed);
});

text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  /** @type {HTMLFormElement} */ (part('composer')).requestSubmit();
});

/**
 * Without a connection it waits for one, however long that takes; a repeat after a cut is stored once.
 * @param {string} typed
 */
async function say(typed) {
  const row = log.pend(typed, waitsFor());
  try {
    const { offset } = await client.publish(CHANNEL, typed, { timeoutMs: Number.POSITIVE_INFINITY });
    log.stored(row, offset);
  } catch (error) {
    log.refused(row, error instanceof Error ? error.message : String(error), (given) => {
      text.value = [text.value, given].filter(Boolean).join('\n');
      text.focus();
    });
  }
}

function waitsFor() {
  return client.state === 'connected' ? 'sending' : 'waiting for the connection';
}

addEventListener('beforeunload', (event) => log.waiting > 0 && event.preventDefault());

// Who is here

lobby.on('members', showMembers);
client.on('welcome', ({ name }) => {
  names.add(name);
  part('me').textContent = name;
  part('who').hidden = false;
});

function showMembers() {
  const { members, count } = lobby;
  const own = client.session?.session;
  const isOwn = (/** @type {{ session: string }} */ { session }) => session === own;
  const sorted = [...members.filter(isOwn), ...members.filter((member) => !isOwn(member))];
  const named = sorted.slice(0, MAX_NAMED);
  const rows = named.map((member) => {
    const row = element('li');
    row.append(nameTag(member.name));
    if (isOwn(member)) row.append(' ', element('span', 'you', 'you'));
    return row;
  });
  part('members').replaceChildren(...rows);
  part('count').textContent = String(count);
  part('more').textContent = `and ${count - named.length} more`;
  part('more').hidden = count <= named.length;
}

// The line

const button = part('cut');
button.addEventListener('click', () => {
  if (client.state === 'connected') cutByHand();
  else if (client.state === 'closed') location.reload();
  else client.reconnect();
});

function cutByHand() {
  isCutByHand = true;
  backAtMs = Date.now() + AWAY_MS;
  client.disconnect();
}

client.on('state', (state, { reason, retryInMs }) => {
  if (state !== 'connected' && hasJoined && !cut && lobby.state !== 'ended') noteCut();
  if (!isCutByHand) backAtMs = Date.now() + (retryInMs ?? 0);
  showLine(state, reason);
  if (state !== 'waiting') isCutByHand = false;
  log.renote(waitsFor());
});

/**
 * @param {import('earshot/client').ConnectionState} state
 * @param {string} [reason]
 */
function showLine(state, reason) {
  const isWaiting = state === 'waiting';
  const words = {
    connecting: hasJoined ? 'Reconnecting…' : 'Connecting…',
    connected: 'Connected',
    waiting: isCutByHand ? 'Cut' : 'Disconnected',
    closed: `Disconnected for good: ${reason ?? 'the client was closed'}`,
  };
  const acts = {
    connecting: 'Try again',
    connected: 'Cut the connection',
    waiting: 'Reconnect now',
    closed: 'Reload',
  };
  part('line').dataset['state'] = state;
  part('state').textContent = words[state];
  part('here').textContent = state === 'connected' ? 'Here now' : 'Last seen here';
  button.textContent = acts[state];
  part('countdown').hidden = !isWaiting;
  if (isWaiting) tick();
}

/** Counts down; after a cut by hand it's this page that comes back, after any other the client does by itself. */
function tick() {
  if (client.state !== 'waiting') return;
  const leftMs = backAtMs - Date.now();
  if (isCutByHand && leftMs <= 0) {
    client.reconnect();
    return;
  }
  const seconds = Math.max(1, Math.ceil(leftMs / 1000));
  part('countdown').textContent = `– ${isCutByHand ? 'coming back' : 'reconnecting'} in ${seconds} s`;
  setTimeout(tick, TICK_MS);
}

function noteCut() {
  const at = new Date();
  cut = { at, offset: lobby.offset, mark: log.mark(`the line was cut at ${clock(at)}`) };
}

/**
 * Shows whether everything came that was said while the line was cut.
 * @param {Cut} cut
 * @param {string} resume
 */
async function resumed({ at, offset, mark }, resume) {
  const back = new Date();
  label(mark, `the line was cut at ${clock(at)}, back at ${clock(back)}`);
  const proof = part('proof');
  proof.hidden = false;
  proof.textContent = `Resumed at ${clock(back)}: comparing with the server’s log…`;
  try {
    if (offset === undefined || resume === 'lost') throw new Error('some of what was said is no longer kept');
    const found = await prove(client, CHANNEL, ledger, offset);
    log.caughtUp(found.after, found.upTo);
    label(mark, `the line was cut at ${clock(at)}, back at ${clock(back)} with ${found.caughtUp} caught up`);
    proof.textContent = `Resumed at ${clock(back)}: ${sentence(found)}`;
  } catch (error) {
    proof.textContent = `Resumed at ${clock(back)}, but not compared: ${error instanceof Error ? error.message : error}`;
  }
}

/**
 * @param {HTMLElement} mark
 * @param {string} words
 */
function label(mark, words) {
  mark.firstElementChild?.replaceChildren(words);
}

/** @param {Date} at */
function clock(at) {
  return at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

// From elsewhere

const SNIPPETS = {
  wscat: [`npx wscat -c ${url.href}`],
  script: [
    `const ws = new WebSocket('${url.href}');`,
    'ws.onmessage = ({ data }) => console.log(data);',
    "ws.onopen = () => ws.send('Hello from the console');",
  ],
};

for (const [id, lines] of Object.entries(SNIPPETS)) {
  const snippet = part(id);
  const copy = part(`${id}-copy`);
  snippet.append(...lines.map((line) => element('span', 'code', `${line}\n`)));
  copy.addEventListener('click', () => copyTo(copy, snippet));
}

/**
 * @param {HTMLElement} copy
 * @param {HTMLElement} snippet
 */
async function copyTo(copy, snippet) {
  try {
    await navigator.clipboard.writeText((snippet.textContent ?? '').trim());
    copy.textContent = 'Copied';
  } catch {
    // no clipboard without https: it is selected, and one key away
    getSelection()?.selectAllChildren(snippet);
    copy.textContent = 'Selected';
  }
  setTimeout(() => {
    copy.textContent = 'Copy';
  }, 2000);
}

// The window

const wide = matchMedia('(min-width: 52rem)');
const fold = () => part('people').toggleAttribute('open', wide.matches);
wide.addEventListener('change', fold);
fold();

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (part('elsewhere').contains(document.activeElement)) part('elsewhere').removeAttribute('open');
  log.toEnd();
  text.focus();
});

document.addEventListener('visibilitychange', () => document.hidden || titled(0));

/** @param {number} count */
function titled(count) {
  unread = count;
  document.title = count > 0 ? `(${count}) Earshot lobby` : 'Earshot lobby';
}
