/** The list of messages: what was said, what waits to be delivered, and where the reader stands in it. */

/** @typedef {import('earshot/client').Message} Message */

/** How many messages stay in the page. */
const MAX_SHOWN = 500;
/** What is longer is shown in part. */
const MAX_CHARACTERS = 8000;
/** JSON that is longer is spread over lines. */
const MAX_LINE = 60;
/** Messages of one person within so long stand under one name. */
const TOGETHER_MS = 5 * 60_000;
/** Nearer to the end than this is at the end. */
const NEAR_PX = 48;

/**
 * An element with its text, which is never markup.
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/**
 * A name in its colour: the hue comes of the name, how light it is of the style sheet.
 * @param {string} name
 */
export function nameTag(name) {
  const tag = element('bdi', 'name', name);
  tag.style.setProperty('--hue', String(hueOf(name)));
  return tag;
}

/**
 * FNV-1a, mixed once more as MurmurHash3 does at its end: neighbours in number are none in colour.
 * @param {string} name
 */
function hueOf(name) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 360;
}

/**
 * The time of day, with the day where it isn't today.
 * @param {Date} at
 */
export function timeTag(at) {
  const tag = element('time');
  const isToday = at.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const day = isToday ? {} : { day: 'numeric', month: 'short' };
  tag.setAttribute('datetime', at.toISOString());
  tag.textContent = at.toLocaleString([], { ...day, hour: '2-digit', minute: '2-digit' });
  tag.title = at.toLocaleString([], { dateStyle: 'full', timeStyle: 'medium' });
  return tag;
}

/** @param {Pick<Message, 'data' | 'encoding'>} message */
function textOf({ data, encoding }) {
  const isText = typeof data === 'string' && encoding === undefined;
  const text = isText ? data : jsonOf(data);
  const shown = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  const tag = element(isText ? 'p' : 'pre', isText ? 'text' : 'text json', shown);
  tag.dir = 'auto';
  if (shown !== text) {
    tag.append(element('span', 'rest', ` ${text.length - MAX_CHARACTERS} more characters`));
  }
  return tag;
}

/**
 * On one line where it fits.
 * @param {unknown} data
 */
function jsonOf(data) {
  const line = JSON.stringify(data);
  return line.length <= MAX_LINE ? line : JSON.stringify(data, undefined, 2);
}

export class Log {
  #scroller;
  #messages;
  #pending;
  #pill;
  #empty;
  /** Whether the reader is at the end, and follows. */
  #follows = true;
  /** How high the sheet was when last looked at; what was added since is no sign that the reader went away. */
  #heightPx = 0;
  #unseen = 0;

  /** @param {Record<'scroller' | 'sheet' | 'messages' | 'pending' | 'pill' | 'empty', HTMLElement>} parts */
  constructor({ scroller, sheet, messages, pending, pill, empty }) {
    this.#scroller = scroller;
    this.#messages = messages;
    this.#pending = pending;
    this.#pill = pill;
    this.#empty = empty;
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    pill.addEventListener('click', () => this.toEnd());
    // Whatever makes the sheet longer or the window lower: who was at the end stays there.
    const sizes = new ResizeObserver(() => this.#sized());
    sizes.observe(sheet);
    sizes.observe(scroller);
  }

  /** How many wait to be delivered. */
  get waiting() {
    return this.#pending.childElementCount;
  }

  /**
   * @param {Message} message
   * @param {boolean} mayBeOwn Whether its name is, or was, the reader's.
   */
  add(message, mayBeOwn) {
    const isOwn = mayBeOwn && this.#landed(message);
    const row = element('li', isOwn ? 'message own' : 'message');
    row.dataset['offset'] = message.offset;
    row.dataset['from'] = message.from;
    row.dataset['at'] = String(message.at);
    const who = element('p', 'by');
    who.append(nameTag(message.from));
    if (isOwn) who.append(' ', element('span', 'you', 'you'));
    row.append(who, textOf(message), timeTag(new Date(message.at)));
    this.#messages.append(row);
    this.#empty.hidden = true;
    group(row);
    if (!this.#follows) this.#count(this.#unseen + 1);
    this.#prune();
  }

  /**
   * A line between the messages: at the end, or before one of them.
   * @param {string} text
   * @param {Element | null} [before]
   */
  mark(text, before = null) {
    const row = element('li', 'mark');
    row.append(element('span', '', text));
    this.#messages.insertBefore(row, before);
    if (before) group(before);
    this.#empty.hidden = true;
    this.#prune();
    return row;
  }

  /**
   * What was there up to this offset was said before the reader came.
   * @param {string} tail
   */
  begin(tail) {
    const rows = [...this.#messages.children];
    const isNew = (/** @type {Element} */ row) => isAfter(row, tail) || row.classList.contains('own');
    const first = rows.find(isNew) ?? null;
    if (rows.length > 0 && first !== rows[0]) this.mark('before you came', first);
    this.#empty.hidden = this.#messages.childElementCount > 0;
    this.#scroller.setAttribute('aria-busy', 'false');
  }

  /**
   * Marks what was caught up after a cut.
   * @param {string} after
   * @param {string} upTo
   */
  caughtUp(after, upTo) {
    for (const row of this.#messages.children) {
      if (isAfter(row, after) && !isAfter(row, upTo)) row.classList.add('caught-up');
    }
  }

  /**
   * Shows what was typed until it comes back as a message.
   * @param {string} text
   * @param {string} note
   */
  pend(text, note) {
    const row = element('li', 'message pending');
    row.dataset['text'] = text;
    const shown = element('p', 'text', text);
    shown.dir = 'auto';
    row.append(element('p', 'by', 'you'), shown, element('span', 'note', note));
    this.#pending.append(row);
    this.#empty.hidden = true;
    this.toEnd();
    return row;
  }

  /**
   * The server has it. It goes when the message is here, which may be before or after the server's answer.
   * @param {HTMLElement} row
   * @param {string} offset
   */
  stored(row, offset) {
    if (this.#messages.querySelector(`[data-offset="${CSS.escape(offset)}"]`)) row.remove();
    else row.dataset['stored'] = offset;
  }

  /**
   * It won't be delivered: says why, and gives the text back.
   * @param {HTMLElement} row
   * @param {string} reason
   * @param {(text: string) => void} giveBack
   */
  refused(row, reason, giveBack) {
    row.classList.add('refused');
    const button = element('button', 'quiet', 'Edit');
    button.addEventListener('click', () => {
      row.remove();
      giveBack(row.dataset['text'] ?? '');
    });
    const note = element('span', 'note', `Not delivered: ${reason} `);
    note.append(button);
    row.querySelector('.note')?.replaceWith(note);
  }

  /**
   * Says of all that wait what they wait for.
   * @param {string} note
   */
  renote(note) {
    for (const row of this.#pending.querySelectorAll('.pending:not(.refused) > .note'))
      row.textContent = note;
  }

  toEnd() {
    this.#follow(true);
    this.#sized();
  }

  /**
   * Takes away the row that showed the message while it was under way. False where there is none: an address
   * and port may have been somebody else's before.
   * @param {Message} message
   */
  #landed({ data, offset }) {
    const rows = /** @type {HTMLElement[]} */ ([...this.#pending.querySelectorAll('.pending:not(.refused)')]);
    const row =
      rows.find(({ dataset }) => dataset['stored'] === offset) ??
      rows.find(({ dataset }) => dataset['stored'] === undefined && dataset['text'] === data);
    row?.remove();
    return row !== undefined;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#follow(Math.min(scrollHeight, this.#heightPx) - scrollTop - clientHeight < NEAR_PX);
  }

  #sized() {
    this.#heightPx = this.#scroller.scrollHeight;
    if (this.#follows) this.#scroller.scrollTop = this.#heightPx;
  }

  /** @param {boolean} follows */
  #follow(follows) {
    this.#follows = follows;
    this.#scroller.classList.toggle('follows', follows);
    if (follows) this.#count(0);
  }

  /** @param {number} unseen */
  #count(unseen) {
    this.#unseen = unseen;
    this.#pill.textContent = `${unseen} new`;
    this.#pill.hidden = unseen === 0;
  }

  #prune() {
    while (this.#messages.childElementCount > MAX_SHOWN) this.#messages.firstElementChild?.remove();
    const first = this.#messages.firstElementChild;
    if (first) group(first);
  }
}

/**
 * Whether the row is a message that stands after this offset. Offsets sort by their bytes.
 * @param {Element} row
 * @param {string} offset
 */
function isAfter(row, offset) {
  const own = /** @type {HTMLElement} */ (row).dataset['offset'];
  return own !== undefined && own > offset;
}

/**
 * A message that follows one of the same person soon after stands under the same name.
 * @param {Element} row
 */
function group(row) {
  const { from, at } = /** @type {HTMLElement} */ (row).dataset;
  const before = /** @type {HTMLElement | null} */ (row.previousElementSibling)?.dataset;
  const isTogether =
    from !== undefined && before?.['from'] === from && Number(at) - Number(before['at']) < TOGETHER_MS;
  row.classList.toggle('together', isTogether);
}
