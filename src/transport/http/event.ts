/** The fields of one Server-Sent Event (HTML, §9.2.6). A text of several lines is several lines of data. */
export interface EventFields {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

const LINE_BREAK = /\r\n|\r|\n/;

/** One event. Where there is no data, browsers take the id and call nobody. */
export function eventText({ event, id, data }: EventFields): string {
  const name = event === undefined ? '' : `event: ${event}\n`;
  const lines = data === undefined ? '' : dataLines(data);
  return `${name}${lines}${id === undefined ? '' : `id: ${id}\n`}\n`;
}

/** After how long a browser comes back. */
export function retryText(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`;
}

/** Nothing, so that what stands between sees that the response is alive. */
export const HEARTBEAT = ':\n\n';

function dataLines(data: string): string {
  const lines = LINE_BREAK.test(data) ? data.split(LINE_BREAK) : [data];
  return lines.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`).join(''); // one space is taken off
}
