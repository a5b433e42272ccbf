import { seededRandom } from '../support/seeded-random.ts';

/** A corpus that is a function of its seed: one chunk to a document; a few cannot be embedded, fewer kill who tries. */
export interface ChaosCorpus {
  record(index: number): { readonly id: string; readonly text: string };
  isPoison(index: number): boolean;
  indexOf(documentId: string): number;
}

const WORDS =
  'river water stone bridge night winter letter harbour market garden window silver road paper'.split(' ');
const WORDS_PER_TEXT = 110;
const POISON_EVERY = 997;
const KILLER_EVERY = 20_011;

export function chaosCorpus(seed: number): ChaosCorpus {
  const poison = (index: number) => {
    if (index % POISON_EVERY === seed % POISON_EVERY) return 'POISON ';
    return index % KILLER_EVERY === (seed % POISON_EVERY) + 100 ? 'KILLER ' : '';
  };
  return {
    isPoison: (index) => poison(index) !== '',
    indexOf: (documentId) => Number(documentId.slice(2)),
    record: (index) => {
      const random = seededRandom(seed * 1_000_003 + index);
      const words = Array.from(
        { length: WORDS_PER_TEXT },
        () => WORDS[Math.floor(random() * WORDS.length)] ?? '',
      );
      const text = `Text ${index}. ${poison(index)}${words.join(' ')}.`;
      return { id: `d-${index}`, text };
    },
  };
}
