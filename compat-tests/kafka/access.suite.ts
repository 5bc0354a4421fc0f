// Logins: TLS, SASL PLAIN and SCRAM, wrong ones, users made by an application, a session that has to log in again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { certificate } from '../harness/certificate.ts';
import { ClientStage } from '../harness/client-stage.ts';
import { Product } from '../harness/product.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { scratch } from '../harness/work.ts';
import { startKafka } from '../peers/kafka/kafka.ts';
import { Client, type Library } from './client.ts';
import * as raw from './raw.ts';
import { Actor, type Broker, fresh, texts, until, values } from './stage.ts';

const OWNER = { user: 'owner', password: 'a-long-secret' };
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];
const tls = await certificate();
/** After so long a client has to log in again (KIP-368). */
const LOGIN_MS = 4_000;

interface Guarded extends Broker {
  /** Where TLS is spoken; ours takes both on one port. */
  readonly tls: string;
}

async function guardedApache(): Promise<Guarded> {
  const guard = { ...tls, ...OWNER, loginMs: LOGIN_MS };
  const { server, bootstrap, guarded } = await startKafka(scratch('apache-access'), { heap: '512m', guard });
  // Apache's first user of SCRAM is made through a listener that asks for nothing.
  const maker = await Client.start('java-4', bootstrap);
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) await maker.call('setScram', { ...OWNER, mechanism });
  await maker.stop();
  return { bootstrap: guarded!.plain, tls: guarded!.tls, stop: () => server.stop() };
}

async function guardedProduct(): Promise<Guarded> {
  const settings = {
    'tls.certFile': tls.certFile,
    'tls.keyFile': tls.keyFile,
    'kafka.tls': 'permissive',
    'kafka.reauthenticationMs': LOGIN_MS,
  };
  const product = await Product.start('kafka-access', { settings });
  await product.admin('POST', '/users', { name: OWNER.user, password: OWNER.password, admin: true });
  const bootstrap = product.endpoints.kafka;
  return { bootstrap, tls: bootstrap, stop: () => product.stop() };
}

const stage = new ClientStage<Guarded, Library, Client>(
  () => (isAgainstPeers ? guardedApache() : guardedProduct()),
  (library, broker) => Client.start(library, broker.bootstrap),
);

const TRUST = {
  'ssl.truststore.type': 'PEM',
  'ssl.truststore.certificates': readFileSync(tls.certFile, 'utf8'),
};

/** Settings of a Java client that logs in so. */
function login(
  mechanism: string,
  isOverTls: boolean,
  who: { user: string; password: string } = OWNER,
): Record<string, string> {
  const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  return {
    'security.protocol': isOverTls ? 'SASL_SSL' : 'SASL_PLAINTEXT',
    'sasl.mechanism': mechanism,
    'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username="${who.user}" password="${who.password}";`,
    ...(isOverTls ? { ...TRUST, 'bootstrap.servers': stage.broker.tls } : {}),
  };
}

void describe('access', { concurrency: 1 }, () => {
  for (const library of ['java-3', 'java-4'] as const) {
    void describe(library, { concurrency: 4 }, () => {
      const actor = new Actor(stage, library);

      for (const mechanism of MECHANISMS) {
        for (const isOverTls of [false, true]) {
          void it(`${mechanism}${isOverTls ? ' over TLS' : ''}: makes a topic, produces, reads in a group`, async () => {
            const config = login(mechanism, isOverTls);
            const topic = fresh('t');
            await actor.call('createTopic', { topic, partitions: 1, config });
            await actor.produce(topic, texts(5), {}, { config });
            const consumer = await actor.subscribe(fresh('g'), [topic], { config });
            assert.deepEqual(values(await actor.take(consumer, 5)), values(texts(5)));
            await actor.close(consumer);
          });
        }
      }

      void it('a certificate that the client does not know ends the handshake', async () => {
        const config = { ...login('PLAIN', true), 'ssl.truststore.certificates': '', 'ssl.truststore.type': 'JKS' };
        const kind = await actor.call('cluster', { config }).then(
          () => 'let in',
          (error: { kind: string }) => error.kind,
        );
        assert.notEqual(kind, 'let in');
      });

      void it('a user of SCRAM made by an application logs in, with a changed password too, and not once deleted', async () => {
        const config = login('SCRAM-SHA-256', false);
        const who = { user: fresh('user'), password: 'first' };
        const told = async (): Promise<string> =>
          JSON.stringify((await actor.call('scramUsers', { user: who.user, config }))['users']);
        await actor.call('setScram', { ...who, mechanism: 'SCRAM-SHA-512', iterations: 8_192, config });
        await until('it is told', async () => (await told()).includes('SCRAM-SHA-512 8192'));
        const code = (password: string): Promise<unknown> =>
          actor.codeOf('cluster', { config: login('SCRAM-SHA-512', false, { ...who, password }) });
        await until('it is let in', async () => (await code('first')) === null);
        await actor.call('setScram', { ...who, password: 'second', mechanism: 'SCRAM-SHA-512', config });
        await until('with the new password', async () => (await code('second')) === null);
        await actor.call('setScram', { user: who.user, mechanism: 'SCRAM-SHA-512', config });
        await until('it is gone', async () => !(await told()).includes('SCRAM'));
        const again = { user: who.user, mechanism: 'SCRAM-SHA-512', config };
        assert.equal(await actor.codeOf('setScram', again), 91);
      });

      void it('a session that lasts longer than a login logs in again on its connection', async () => {
        const config = { ...login('SCRAM-SHA-256', true), 'connections.max.idle.ms': '60000' };
        const topic = fresh('t');
        await actor.call('createTopic', { topic, partitions: 1, config });
        const began = Date.now();
        let sent = 0;
        while (Date.now() - began < LOGIN_MS * 2.2) {
          await actor.produce(topic, texts(20, `m-${sent}`), {}, { config });
          sent += 20;
          // The reader keeps all of it: a quick machine would send more than fits there.
          await sleep(20);
        }
        assert.equal((await actor.read(topic, sent, { config })).length, sent);
      });
    });
  }

  void it('a mechanism that is not served is refused (33), with those that are', async () => {
    const socket = await raw.dial(stage.broker.bootstrap);
    socket.write(raw.saslHandshake('SECRET-KNOCK'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    assert.equal(answer.readInt16BE(8), 33);
    for (const mechanism of MECHANISMS) assert.ok(answer.includes(mechanism), mechanism);
  });

  // Last: an address that fails too often has to wait with ours, and all tests come from one.
  void describe('refused (58)', { concurrency: 1 }, () => {
    for (const library of ['java-3', 'java-4'] as const) {
      for (const mechanism of MECHANISMS) {
        void it(`${library}, ${mechanism}: a wrong password and an unknown user`, async () => {
          const actor = new Actor(stage, library);
          for (const who of [
            { ...OWNER, password: 'wrong' },
            { user: 'nobody', password: 'x' },
          ])
            assert.equal(await actor.codeOf('cluster', { config: login(mechanism, false, who) }), 58);
        });
      }
    }
  });
});
