import type { InferenceSettings } from '../inference-protocol.ts';
import type { InferenceEngine } from './inference-engine.ts';

/** Loads a model into this process. An engine that is not wanted is not loaded either: onnxruntime takes 60 MB. */
export async function openEngine(settings: InferenceSettings): Promise<InferenceEngine> {
  const { engine } = settings;
  switch (engine.name) {
    case 'kernel': {
      const { openKernelEngine } = await import('./kernel-engine.ts');
      return openKernelEngine(settings, engine.instructionSet);
    }
    case 'onnxruntime': {
      const { openOnnxruntimeEngine } = await import('./onnxruntime-engine.ts');
      return openOnnxruntimeEngine(settings, engine.threads);
    }
  }
}
