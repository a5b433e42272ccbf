import { styleText } from 'node:util';
import { safeText } from './safe-text.ts';

const LEVELS: Readonly<Record<number, readonly [string, Parameters<typeof styleText>[0]]>> = {
  10: ['TRACE', 'dim'],
  20: ['DEBUG', 'dim'],
  30: ['INFO ', 'green'],
  40: ['WARN ', 'yellow'],
  50: ['ERROR', 'red'],
  60: ['FATAL', 'red'],
};
/** Said by the line itself, or of no use to somebody who sits in front of it. */
const HIDDEN = new Set(['level', 'time', 'name', 'pid', 'hostname', 'msg', 'err']);

/**
 * A JSON line of the log as a person reads it: `12:03:45 WARN  What happened  key=value`. Times are local. What is not a
 * JSON line comes back as it is, and nothing in a line can move the cursor.
 *
 * @param isTerminal colours it, unless NO_COLOR is set
 */
export function readableLogLine(line: string, isTerminal: boolean): string {
  const entry = parse(line);
  if (entry === null) return `${safeText(line.trimEnd())}\n`;
  const paint = (format: Parameters<typeof styleText>[0], text: string) =>
    isTerminal ? styleText(format, text, { stream: process.stderr }) : text;
  const [label, colour] = LEVELS[Number(entry['level'])] ?? ['?    ', 'dim'];
  const time = new Date(Number(entry['time'] ?? 0)).toTimeString().slice(0, 8);
  const fields = Object.entries(entry)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${safeText(name)}=${valueText(value)}`)
    .join(' ');
  const message = typeof entry['msg'] === 'string' ? safeText(entry['msg']) : '';
  const head = `${paint('dim', time)} ${paint(colour, label)} ${message}`;
  return (
    [fields === '' ? head : `${head}  ${paint('dim', fields)}`, ...stackOf(entry, paint)].join('\n') + '\n'
  );
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? safeText(value) : safeText(JSON.stringify(value));
  return typeof value === 'string' && /[\s"=]|^$/.test(text) ? JSON.stringify(text) : text;
}

/** Where an error came from; those that embedline raises on purpose say all that helps in their message. */
function stackOf(
  { err, msg }: Record<string, unknown>,
  paint: (format: 'dim', text: string) => string,
): string[] {
  if (typeof err !== 'object' || err === null) return [];
  const { type, message, stack } = err as Record<string, unknown>;
  if (type === 'EmbedlineError')
    return typeof message === 'string' && message !== msg ? [`  ${safeText(message)}`] : [];
  const lines = typeof stack === 'string' ? stack.split('\n') : [];
  return lines.map((line) => paint('dim', `  ${safeText(line)}`));
}
