import { z } from 'zod';
import { variableSchema } from './reading-schema.ts';

const textSchema = z.string().min(1, 'expected a text that is not empty');

const webhookSchema = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    error: 'expected a URL that starts with https:// or http://',
    abort: true,
  })
  .refine((value) => new URL(value).username === '' && new URL(value).password === '', {
    error:
      'expected no user and password in the URL: put them into a header, as headers: { authorization: "VARIABLE" }',
  });

/** Who is told when an ingest by schedule or --detach has failed, and how. */
export const failureHookSchema = z
  .strictObject({
    /** A program and its arguments, run without a shell in the folder of the file; reads the report on its standard input. */
    command: z.array(textSchema).min(1, 'expected at least a program').optional(),
    /** Variables of the environment that the program gets beside the usual ones (PATH, HOME, LANG and the like). */
    environment: z.array(variableSchema).default([]),
    /** Where the report is sent by POST, as application/json. */
    webhook: webhookSchema.optional(),
    /** Headers of that request, by name: each the name of an environment variable that holds its value. */
    headers: z
      .record(z.string().regex(/^[\w-]+$/, 'expected the name of a header'), variableSchema)
      .default({}),
    /** Tell of ingests that are done but have dead letters, too. Defaults to false. */
    deadLetters: z.boolean().default(false),
    /** Times that it is tried. Defaults to 3. */
    attempts: z.int().min(1).max(10).default(3),
    /** Milliseconds that one attempt may take. Defaults to 10,000. */
    timeoutMs: z.int().min(100).max(300_000).default(10_000),
    /** Reports in an hour for each pipeline; the next one says how many were left out. Defaults to 12. */
    maxPerHour: z.int().min(1).max(3_600).default(12),
  })
  .superRefine(({ command, webhook, environment, headers }, context) => {
    const issue = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if ((command === undefined) === (webhook === undefined))
      context.addIssue({ code: 'custom', message: 'expected either command or webhook' });
    if (command === undefined && environment.length > 0) issue('environment', 'goes with command only');
    if (webhook === undefined && Object.keys(headers).length > 0) issue('headers', 'goes with webhook only');
  });

export type FailureHook = z.output<typeof failureHookSchema>;
/** A hook as it is written: what has a default may be left out. */
export type FailureHookInput = z.input<typeof failureHookSchema>;
