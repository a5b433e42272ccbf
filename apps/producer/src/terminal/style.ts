import { styleText } from 'node:util';

/** How a stream is written to: with colours and redrawing, or plainly. */
export interface Style {
  readonly columns: number;
  /** True when lines can be redrawn. */
  readonly interactive: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Colours on a terminal unless NO_COLOR is set (https://no-color.org); FORCE_COLOR wants them everywhere. */
export function styleFor(
  stream: { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Style {
  const forced = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '' && env['FORCE_COLOR'] !== '0';
  const forbidden = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  const interactive = stream.isTTY === true && env['TERM'] !== 'dumb';
  const coloured = !forbidden && (forced || interactive);
  const paint = (colour: Colour) => (text: string) =>
    coloured ? styleText(colour, text, { validateStream: false }) : text;
  return {
    columns: Math.max(40, stream.columns ?? 100),
    interactive,
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  };
}
