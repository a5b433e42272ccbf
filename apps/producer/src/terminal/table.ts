import { displayWidth, wrap } from './safe-text.ts';
import type { Style } from './style.ts';

export interface Column {
  readonly header: string;
  /** Numbers stand at the right. Defaults to left. */
  readonly align?: 'left' | 'right';
  /** Its cells stay in one line: ids, which people copy. Defaults to false. */
  readonly whole?: boolean;
}

const BETWEEN = '  ';
/** A column is not made narrower than this. */
const MIN_COLUMN = 10;

/**
 * Aligned columns, two spaces between; the last is not padded. Where they do not fit, cells of the widest columns go on
 * in the next line of their column. Cells are safe to print and hold no colours.
 * @param style of the terminal that the table has to fit; a table for a file or another program may be of any width
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style?: Pick<Style, 'columns' | 'interactive'>,
): string {
  const maxWidth = style?.interactive === true ? style.columns : Infinity;
  const lines = [columns.map(({ header }) => header), ...rows];
  const widths = fit(
    columns.map((column, index) => ({
      width: lines.reduce((widest, line) => Math.max(widest, displayWidth(line[index] ?? '')), 0),
      shrinks: column.whole !== true,
    })),
    maxWidth - BETWEEN.length * (columns.length - 1),
  );
  return lines
    .flatMap((line) => {
      const cells = columns.map((_, index) => wrap(line[index] ?? '', widths[index] ?? Infinity));
      const height = cells.reduce((most, cell) => Math.max(most, cell.length), 1);
      return Array.from({ length: height }, (_, row) =>
        columns
          .map(({ align = 'left' }, index) => pad(cells[index]?.[row] ?? '', widths[index] ?? 0, align))
          .join(BETWEEN)
          .trimEnd(),
      );
    })
    .join('\n');
}

/** Takes a column at a time from the widest that may shrink, until all fit. */
function fit(columns: readonly { readonly width: number; readonly shrinks: boolean }[], available: number) {
  const widths = columns.map(({ width }) => width);
  let surplus = widths.reduce((total, width) => total + width, 0) - available;
  while (surplus > 0 && Number.isFinite(surplus)) {
    let widest = -1;
    for (const [index, { shrinks }] of columns.entries())
      if (shrinks && (widths[index] ?? 0) > Math.max(widths[widest] ?? 0, MIN_COLUMN)) widest = index;
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    surplus -= 1;
  }
  return widths;
}

function pad(cell: string, width: number, align: 'left' | 'right'): string {
  const padding = ' '.repeat(Math.max(0, width - displayWidth(cell)));
  return align === 'right' ? padding + cell : cell + padding;
}
