export type KernelErrorCode =
  | 'INSTRUCTION_SET_UNKNOWN'
  | 'INSTRUCTION_SET_UNUSABLE'
  | 'MODEL_UNSUPPORTED'
  | 'WEIGHTS_INVALID'
  | 'INPUT_INVALID'
  | 'CLOSED';

/** What the kernel refuses. `code` says which kind; the message says what, why and what to do. */
export class KernelError extends Error {
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KernelError';
    this.code = code;
  }
}
