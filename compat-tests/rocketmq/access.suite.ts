// Clients that sign their requests (AclClientRPCHook): the access key is a user's name, the secret key its password.
// Against Apache's broker the user is the one that its configuration makes.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ClientStage } from '../harness/client-stage.ts';
import { Product } from '../harness/product.ts';
import { fresh } from '../harness/suite.ts';
import { isAgainstPeers } from '../harness/target.ts';
import { scratch } from '../harness/work.ts';
import { startRocketmq } from '../peers/rocketmq/rocketmq.ts';
import { Client, type Library, type Reply } from './client.ts';
import type { Broker } from './stage.ts';

const OWNER = { accessKey: 'owner', secretKey: 'owner-secret-1' };
const READER = { accessKey: 'reader', secretKey: 'reader-secret-1' };

async function securedApache(): Promise<Broker> {
  const user = JSON.stringify({ username: OWNER.accessKey, password: OWNER.secretKey });
  const settings = {
    authenticationEnabled: true,
    authorizationEnabled: true,
    authenticationMetadataProvider:
      'org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider',
    authenticationProvider: 'org.apache.rocketmq.auth.authentication.provider.DefaultAuthenticationProvider',
    authorizationMetadataProvider: 'org.apache.rocketmq.auth.authorization.provider.LocalAuthorizationMetadataProvider',
    authorizationProvider: 'org.apache.rocketmq.auth.authorization.provider.DefaultAuthorizationProvider',
    initAuthenticationUser: user,
    innerClientAuthenticationCredentials: JSON.stringify(OWNER),
  };
  const { namesrv, broker, address } = await startRocketmq(scratch('apache-access'), { settings });
  const stop = async (): Promise<unknown> => [await broker.stop(), await namesrv.stop()];
  return { namesrv: address, log: () => broker.logTail(1_000), stop };
}

async function securedProduct(): Promise<Broker> {
  const folder = scratch('rocketmq-access-key');
  const masterKeyFile = join(folder, 'master.key');
  mkdirSync(folder, { recursive: true });
  writeFileSync(masterKeyFile, randomBytes(48).toString('base64'), { mode: 0o600 });
  const product = await Product.start('rocketmq-access', { settings: { 'security.masterKeyFile': masterKeyFile } });
  const rule = (id: string, resource: 'topic' | 'group', actions: string[]): Promise<unknown> =>
    product.admin('POST', '/rules', {
      id,
      user: READER.accessKey,
      allow: true,
      actions,
      resource,
      namespace: '*',
      pattern: '*',
    });
  await rule('reads-topics', 'topic', ['consume', 'describe']);
  await rule('reads-groups', 'group', ['consume', 'describe', 'create']);
  await product.admin('POST', '/users', { name: OWNER.accessKey, password: OWNER.secretKey, admin: true });
  const authorization = `Basic ${Buffer.from(`${OWNER.accessKey}:${OWNER.secretKey}`).toString('base64')}`;
  const made = await fetch(`${product.http}/api/v1/users`, {
    method: 'POST',
    body: JSON.stringify({ name: READER.accessKey, password: READER.secretKey, admin: false }),
    headers: { 'content-type': 'application/json', authorization },
  });
  assert.equal(made.ok, true, await made.text());
  return { namesrv: product.endpoints.rocketmq, log: () => product.server.logTail(1_000), stop: () => product.stop() };
}

const stage = new ClientStage<Broker, Library, Client>(
  () => (isAgainstPeers ? securedApache() : securedProduct()),
  (library, broker) => Client.start(library, broker.namesrv),
);

void describe('access keys', { concurrency: 2 }, () => {
  for (const library of ['java-4.9', 'java-5'] as const) {
    const call = async (op: string, fields: Record<string, unknown>): Promise<Reply> =>
      (await stage.client(library)).call(op, fields);
    const send = async (topic: string, client: object): Promise<Reply['results'][0]> => {
      const messages = [{ body: 'signed', key: 'ü k', properties: { p: 'ß' } }];
      const producer = { ...client, retries: 0, group: fresh('p') };
      return (await call('send', { topic, messages, producer })).results[0]!;
    };

    void it(`${library}: a user sends to a new topic and consumes from it`, async () => {
      const topic = fresh('t');
      assert.equal((await send(topic, OWNER)).status, 'SEND_OK');
      const fields = { group: fresh('g'), topics: { [topic]: '*' }, client: OWNER };
      const { consumer } = await call('subscribe', fields);
      const { messages } = await call('received', { consumer, count: 1, waitMs: 75_000 });
      await call('close', { consumer });
      assert.deepEqual(
        messages.map((one) => [one.body, one.key, one.properties['p']]),
        [['signed', 'ü k', 'ß']],
      );
    });

    void it(`${library}: a wrong secret and no signature at all are refused`, async () => {
      const topic = fresh('t');
      assert.equal((await send(topic, OWNER)).status, 'SEND_OK');
      for (const client of [{ ...OWNER, secretKey: 'wrong' }, { accessKey: 'nobody', secretKey: 'x' }, {}]) {
        const { error } = await send(topic, client);
        assert.ok(error, `${JSON.stringify(client)} should be refused`);
      }
    });

    void it(`${library}: who may only read is told so (16), and reads`, {
      skip: isAgainstPeers && 'rights are set up through our own API',
    }, async () => {
      const topic = fresh('t');
      assert.equal((await send(topic, OWNER)).status, 'SEND_OK');
      const { error } = await send(topic, READER);
      assert.equal(error?.code, 16);
      assert.match(error!.message, /"reader" may not publish/);
      const fields = { group: fresh('g'), topics: { [topic]: '*' }, client: READER };
      const { consumer } = await call('subscribe', fields);
      const { messages } = await call('received', { consumer, count: 1, waitMs: 75_000 });
      await call('close', { consumer });
      assert.equal(messages.length, 1);
    });
  }
});
