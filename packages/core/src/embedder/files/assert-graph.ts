import { EmbedlineError, messageOf } from '../../errors.ts';
import { hiddenStatesName, TEXT_INPUTS } from '../hidden-states.ts';
import { readOnnxGraph, type OnnxGraph, type OnnxValue } from './onnx-graph.ts';
import { refuse } from './refuse.ts';

const [FLOAT32, INT64] = [1, 7];
const EXPORT_AGAIN =
  'Export the model for feature extraction, e.g.: optimum-cli export onnx --model ID --task feature-extraction FOLDER';

/**
 * Reads a weights file and makes sure that it takes what embedline feeds and gives what embedline pools.
 * @param weights for messages, e.g. `onnx/model.onnx`
 * @throws EmbedlineError MODEL_INVALID
 */
export function readTextGraph(
  file: string,
  { place, weights, dimensions }: { place: string; weights: string; dimensions: number },
): OnnxGraph {
  const graph = readGraph(file, place, weights);
  for (const input of graph.inputs) {
    const problem = problemOfInput(input);
    if (problem !== null) throw refuse(place, `${weights} wants ${problem}`, EXPORT_AGAIN);
  }
  if (!graph.inputs.some(({ name }) => name === 'input_ids'))
    throw refuse(place, `${weights} has no input "input_ids"`, EXPORT_AGAIN);
  const problem = problemOfOutputs(graph.outputs, dimensions);
  if (problem !== null) throw refuse(place, `${weights} gives ${problem}`, EXPORT_AGAIN);
  return graph;
}

function readGraph(file: string, place: string, weights: string): OnnxGraph {
  try {
    return readOnnxGraph(file);
  } catch (error) {
    throw new EmbedlineError(
      'MODEL_INVALID',
      `${weights} in ${place} cannot be read as ONNX: ${messageOf(error)}. Fetch the file again.`,
      { cause: error },
    );
  }
}

function problemOfInput({ name, elementType, shape }: OnnxValue): string | null {
  const label = `an input ${JSON.stringify(name)}`;
  if (!TEXT_INPUTS.includes(name)) return `${label}, which is not one of a text encoder`;
  if (elementType !== null && elementType !== INT64) return `${label} that is not of 64-bit integers`;
  if (shape === null) return null;
  if (shape.length !== 2) return `${label} of ${shape.length} axes, not of texts and tokens`;
  return shape.some((size) => size !== null) ? `${label} of a fixed size (${describe(shape)})` : null;
}

function problemOfOutputs(outputs: readonly OnnxValue[], dimensions: number): string | null {
  const names = outputs.map(({ name }) => name);
  const wanted = hiddenStatesName(names);
  const output = outputs.find(({ name }) => name === wanted);
  if (output === undefined) return `${names.join(', ')}, and no "last_hidden_state" to pool`;
  const { name, elementType, shape } = output;
  if (elementType !== null && elementType !== FLOAT32) return `${name} in other numbers than 32-bit floats`;
  if (shape === null) return null;
  const last = shape.at(-1) ?? null;
  if (shape.length === 3 && (last === null || last === dimensions)) return null;
  return `${name} as [${describe(shape)}], not as [texts, tokens, ${dimensions}]`;
}

function describe(shape: readonly (number | null)[]): string {
  return shape.map((size) => size ?? '?').join(', ');
}
