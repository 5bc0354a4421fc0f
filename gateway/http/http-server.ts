// The HTTP side: health, metrics and /api/v1, all from specs/admin/openapi.json. Like an adapter it is given streams and
// opens no socket. Invariants: nothing below /api/v1 is answered to somebody unknown once a user exists; every error is
// a problem document; every request has a limit in bytes and in time.
import http from 'node:http';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Adapter, ConnectionInfo, Logger } from '../../adapters/adapter.ts';
import { assert } from '../../core/errors.ts';
import type { Clock, Principal } from '../../core/types.ts';
import { ANONYMOUS, type Authenticator } from '../authenticate.ts';
import type { HttpConfig } from '../config/config.ts';
import { isLoopback } from '../loopback.ts';
import type { Status } from '../status.ts';
import { Answer, type Handler, type Operation, operations, sharedSchema } from './operation.ts';
import { errorHandler, HttpRefusal, problemOf, sendProblem } from './problem.ts';

export interface HttpServerOptions {
  readonly config: HttpConfig;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Logger;
  readonly status: Status;
  /** Accept any Host header although no user exists (`insecure`). */
  readonly anyHost: boolean;
}

/** Headers of a request: names, values and separators. */
const HEADER_BYTES_MAX = 16 * 1024;
const KEEP_ALIVE_MS = 65_000;

export class HttpServer implements Adapter {
  readonly protocol = 'http';
  readonly counts = { requests: 0, refused: 0, failed: 0 };
  readonly #options: HttpServerOptions;
  readonly #app: FastifyInstance;
  readonly #streams = new Set<Duplex>();
  /** Those with a request under way. */
  readonly #busy = new Set<Duplex>();
  readonly #infos = new WeakMap<Duplex, ConnectionInfo>();
  #server!: http.Server;
  #isDraining = false;
  #authenticator: Authenticator | null = null;
  #handlers: Readonly<Record<string, Handler>> = {};

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#app = this.#build();
  }

  static async create(options: HttpServerOptions): Promise<HttpServer> {
    const made = new HttpServer(options);
    await made.#app.ready();
    // The limits on time are looked after by an interval that http.Server begins when it listens; ours never does, as
    // all sockets are bound in gateway/listeners.ts.
    made.#server.emit('listening');
    return made;
  }

  /** Says who answers from now on, by operationId: anew whenever the state has been folded anew. */
  serve(authenticator: Authenticator, handlers: Readonly<Record<string, Handler>>): void {
    const missing = operations.filter(({ id }) => handlers[id] === undefined).map(({ id }) => id);
    assert(missing.length === 0, `every operation has a handler (missing: ${missing.join(', ')})`);
    this.#authenticator = authenticator;
    this.#handlers = handlers;
  }

  get connections(): number {
    return this.#streams.size;
  }

  accept(stream: Duplex, info: ConnectionInfo): void {
    this.#infos.set(stream, info);
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    this.#server.emit('connection', stream);
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    for (const stream of this.#streams) if (!this.#busy.has(stream)) stream.destroy();
    const waitMs = Math.max(0, deadlineMs - this.#options.clock.nowMs());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      const look = (): void => {
        if (this.#streams.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      for (const stream of this.#streams) stream.once('close', () => setImmediate(look));
      look();
    });
    this.cut();
    this.#server.close();
    await this.#app.close();
  }

  cut(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #build(): FastifyInstance {
    const { config, log } = this.#options;
    const app = fastify({
      bodyLimit: config.bodyBytesMax,
      requestTimeout: config.requestTimeoutMs,
      // Names are at most 255 bytes, percent-encoded three times as long.
      routerOptions: { maxParamLength: 1024 },
      ajv: { customOptions: { removeAdditional: false, coerceTypes: true, useDefaults: true, allErrors: false } },
      serverFactory: (handler) => {
        this.#server = http.createServer(
          {
            maxHeaderSize: HEADER_BYTES_MAX,
            headersTimeout: Math.min(config.handshakeTimeoutMs, config.requestTimeoutMs),
            requestTimeout: config.requestTimeoutMs,
            keepAliveTimeout: KEEP_ALIVE_MS,
            connectionsCheckingInterval: Math.min(1_000, config.handshakeTimeoutMs),
          },
          handler,
        );
        this.#server.on('request', (request, response) => {
          this.#busy.add(request.socket);
          response.once('close', () => this.#busy.delete(request.socket));
        });
        return this.#server;
      },
      // What the router refuses before any handler: escapes that mean nothing, parameters too long.
      frameworkErrors: (error, _request, reply) => sendProblem(reply, problemOf(error)),
    });
    // A form or plain text from a browser is no request to this API (and would need no preflight).
    app.removeContentTypeParser('text/plain');
    app.addSchema(sharedSchema);
    app.setErrorHandler(errorHandler(log));
    app.setNotFoundHandler((request, reply) => {
      const detail = `There is no ${request.method} ${request.url.split('?')[0]}; /api/v1/openapi.json lists what there is.`;
      sendProblem(reply, problemOf(new HttpRefusal(404, 'path-not-found', detail)));
    });
    app.addHook('onRequest', async () => {
      this.counts.requests++;
    });
    app.addHook('onSend', async (_request, reply) => {
      if (this.#isDraining) reply.header('connection', 'close');
      reply.header('cache-control', 'no-store');
      reply.header('x-content-type-options', 'nosniff');
      if (reply.statusCode >= 500) this.counts.failed++;
      else if (reply.statusCode >= 400) this.counts.refused++;
    });
    for (const operation of operations) this.#route(app, operation);
    return app;
  }

  #route(app: FastifyInstance, operation: Operation): void {
    app.route({
      method: operation.method,
      url: operation.url,
      schema: operation.schema,
      handler: async (request, reply) => {
        const principal = operation.isOpen
          ? { name: ANONYMOUS, host: this.#host(request) }
          : await this.#principal(request);
        const result = await this.#handlers[operation.id]!({
          principal,
          params: request.params as Record<string, string>,
          query: request.query as Record<string, string | number | boolean | undefined>,
          body: request.body,
        });
        if (result instanceof Answer) return reply.code(result.status).type(result.type).send(result.body);
        if (result === undefined) return reply.code(204).send();
        return reply.code(operation.successStatus).type('application/json').send(JSON.stringify(result));
      },
    });
  }

  #host(request: FastifyRequest): string {
    return this.#infos.get(request.raw.socket)?.remote.host ?? request.raw.socket.remoteAddress ?? '';
  }

  /** Who asks for a protected operation. */
  async #principal(request: FastifyRequest): Promise<Principal> {
    const { status, anyHost } = this.#options;
    const authenticator = this.#authenticator;
    if (status.phase !== 'up' || authenticator === null) {
      throw new HttpRefusal(503, status.phase, `The broker is ${status.phase}: ${status.detail}.`);
    }
    if (authenticator.isOpen) {
      // A page in a browser may resolve its own name to 127.0.0.1 and then speak to us as if it were at home (DNS
      // rebinding); its Host header gives it away.
      if (!anyHost && !isLoopback(hostName(request.headers.host ?? ''))) {
        const detail =
          'While no user exists, requests are taken for 127.0.0.1 and localhost only. Create a user (rosettamq user add) or start with --insecure.';
        throw new HttpRefusal(421, 'host-not-local', detail);
      }
      return authenticator.anonymous(this.#host(request));
    }
    const pair = basicCredentials(request.headers.authorization ?? '');
    if (pair === null) {
      throw new HttpRefusal(
        401,
        'credentials-missing',
        'Users exist, so this needs HTTP Basic credentials of one of them.',
      );
    }
    const principal = await authenticator.authenticate(pair.name, pair.password, this.#host(request));
    if (principal === null) throw new HttpRefusal(401, 'credentials-wrong', 'The name or the password is wrong.');
    return principal;
  }
}

/** The name in a Host header, without its port. */
function hostName(header: string): string {
  const match = /^\[([^\]]*)\](?::\d*)?$/.exec(header) ?? /^([^:]*)(?::\d*)?$/.exec(header);
  return match?.[1] ?? '';
}

/** RFC 7617; null for anything else. */
function basicCredentials(header: string): { name: string; password: string } | null {
  const match = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header);
  if (match === null) return null;
  const text = Buffer.from(match[1]!, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
