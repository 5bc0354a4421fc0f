// The command line's side of /api/v1: one request, its answer, or an error a person can act on.
import fs from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { isWildcard } from '../loopback.ts';
import { CliError, EXIT } from './cli-error.ts';

export interface ApiOptions {
  readonly url?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly json?: boolean;
  readonly namespace?: string;
}

const TIMEOUT_MS = 30_000;
/** Connected, then lost: other than a refused connection, the request may have been carried out. */
const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE', 'UND_ERR_HEADERS_TIMEOUT']);

/** Adds what every command that asks the broker understands. */
export function addApiOptions(command: Command): Command {
  return command
    .option('--url <url>', 'address of the broker (else ROSETTAMQ_URL, else the http port of the configuration)')
    .option('--user <name>', 'user to ask as (else ROSETTAMQ_USER)')
    .option('--password-file <file>', 'file whose first line is the password (else ROSETTAMQ_PASSWORD)')
    .option('--namespace <name>', 'namespace (virtual host)')
    .option('--json', 'print JSON');
}

export class ApiClient {
  readonly #base: string;
  readonly #authorization: string | null;

  constructor(options: ApiOptions, env: NodeJS.ProcessEnv = process.env) {
    this.#base = (options.url ?? env['ROSETTAMQ_URL'] ?? configuredUrl(env)).replace(/\/+$/, '');
    const user = options.user ?? env['ROSETTAMQ_USER'];
    const password = options.passwordFile === undefined ? env['ROSETTAMQ_PASSWORD'] : firstLine(options.passwordFile);
    this.#authorization =
      user === undefined || user === ''
        ? null
        : `Basic ${Buffer.from(`${user}:${password ?? ''}`, 'utf8').toString('base64')}`;
  }

  /** The answer's JSON, undefined when there is none. `query` values that are undefined are left out. */
  async request(
    method: string,
    path: readonly string[],
    query: Readonly<Record<string, string | number | undefined>> = {},
    body?: unknown,
  ): Promise<unknown> {
    const url = new URL(`${this.#base}/api/v1/${path.map(encodeURIComponent).join('/')}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const response = await this.#fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(this.#authorization !== null && { authorization: this.#authorization }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    });
    const text = await response.text();
    if (!response.ok) throw new CliError(refusal(response, text));
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new CliError(`${this.#base} did not answer with JSON: is it RosettaMQ's http port?`, EXIT.failed, {
        cause,
      });
    }
  }

  /** All pages of a list. */
  async list<T>(path: string, property: string, query: Readonly<Record<string, string | undefined>>): Promise<T[]> {
    const all: T[] = [];
    let after: string | undefined;
    do {
      const page = (await this.request('GET', [path], { ...query, after })) as { next: string | null } & Record<
        string,
        T[]
      >;
      all.push(...(page[property] ?? []));
      after = page.next ?? undefined;
    } while (after !== undefined);
    return all;
  }

  async #fetch(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, init);
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      const why = cause?.code ?? cause?.message ?? (error as Error).message;
      if (LOST.has(why) || (error as Error).name === 'TimeoutError') {
        throw new CliError(
          `RosettaMQ at ${this.#base} did not answer (${why}), so it may have been done or not: look before you try again.`,
          EXIT.unreachable,
          { cause: error },
        );
      }
      throw new CliError(
        `cannot reach RosettaMQ at ${this.#base}: ${why}\nStart it with \`rosettamq start\`, or give its address with --url or ROSETTAMQ_URL.`,
        EXIT.unreachable,
        { cause: error },
      );
    }
  }
}

/** Where `rosettamq start` with this environment and working directory would listen. */
function configuredUrl(env: NodeJS.ProcessEnv): string {
  const { config } = loadConfig({ flags: new Map(), env, cwd: process.cwd(), file: undefined });
  const { http } = config;
  const bound = http.bindAddress ?? config.bindAddress;
  const host = isWildcard(bound) ? '127.0.0.1' : bound;
  return `${http.tls === 'required' ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

function firstLine(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').split(/\r?\n/, 1)[0]!;
  } catch (cause) {
    throw new CliError(`cannot read the password file ${file}: ${(cause as Error).message}`, EXIT.usage, { cause });
  }
}

function refusal(response: Response, text: string): string {
  let detail = '';
  try {
    detail = (JSON.parse(text) as { detail?: string }).detail ?? '';
  } catch {
    // Not ours: some proxy in between.
  }
  const hint =
    response.status === 401
      ? '\nGive a user with --user and --password-file, or ROSETTAMQ_USER and ROSETTAMQ_PASSWORD.'
      : '';
  return `${detail === '' ? `the broker answered ${response.status} ${response.statusText}` : detail}${hint}`;
}
