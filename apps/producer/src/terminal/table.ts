import { displayWidth } from './safe-text.ts';

export interface Column {
  readonly header: string;
  /** Numbers stand at the right. Defaults to left. */
  readonly align?: 'left' | 'right';
}

/** Aligned columns, two spaces between; the last is not padded. Cells are safe to print and hold no colours. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ header }) => header), ...rows];
  const widths = columns.map((_, index) =>
    lines.reduce((widest, line) => Math.max(widest, displayWidth(line[index] ?? '')), 0),
  );
  return lines
    .map((line) =>
      columns
        .map(({ align = 'left' }, index) => {
          const cell = line[index] ?? '';
          const padding = ' '.repeat((widths[index] ?? 0) - displayWidth(cell));
          return align === 'right' ? padding + cell : cell + padding;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
