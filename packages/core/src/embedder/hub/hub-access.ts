/** How the hub is reached. */
export interface HubOptions {
  /** Without a slash at the end. */
  readonly endpoint: string;
  /** Sent to the endpoint alone, never to where it redirects to. */
  readonly token: string | null;
}

export const DEFAULT_HUB: HubOptions = Object.freeze({ endpoint: 'https://huggingface.co', token: null });

export interface HubAccess {
  readonly endpoint: string;
  /** @throws Error that says what was answered, when it is not a success */
  get(url: string): Promise<Response>;
}

/** So long the hub may take to begin its answer. */
const ANSWER_TIMEOUT_MS = 30_000;

export function openHub({ endpoint, token }: HubOptions, signal?: AbortSignal): HubAccess {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return {
    endpoint,
    get: async (url) => {
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)),
        ANSWER_TIMEOUT_MS,
      );
      try {
        const signals = signal === undefined ? [late.signal] : [late.signal, signal];
        const response = await fetch(url, { headers, signal: AbortSignal.any(signals) });
        if (response.ok) return response;
        await response.body?.cancel();
        throw new Error(`${new URL(url).host} answered ${response.status} ${meaningOf(response.status)}`);
      } catch (error) {
        signal?.throwIfAborted();
        throw error instanceof Error && error.cause instanceof Error
          ? new Error(`${error.message} (${error.cause.message})`, { cause: error })
          : error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function meaningOf(status: number): string {
  if (status === 401 || status === 403)
    return '(not allowed: a model that does not exist, or one that wants an HF_TOKEN)';
  return status === 404 ? '(not found)' : '';
}
