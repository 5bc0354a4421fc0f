// How clients reach the broker: TLS beside plain text, the port two below, several name servers; and what the broker says
// of members that do not fit together.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { freePorts } from '../../harness/process.ts';
import { isAgainstPeers } from '../../harness/target.ts';
import { type Actor, bodies, fresh, texts, until } from '../stage.ts';

export function connecting(actor: Actor): void {
  /** Sends and consumes with clients set up like that. */
  async function roundTrip(client: Record<string, unknown>): Promise<string[]> {
    const topic = await actor.topic(2);
    await actor.send(topic, texts(6), { producer: client });
    const { consumer } = await actor.call('subscribe', { group: fresh('g'), topics: { [topic]: '*' }, client });
    const got = await actor.received(consumer, 6);
    await actor.call('close', { consumer });
    return bodies(got).sort();
  }

  void it('TLS and plain text on one port: each reads what the other sent', async () => {
    assert.deepEqual(await roundTrip({ tls: true }), bodies(texts(6)));
    const topic = await actor.topic(1);
    await actor.send(topic, [{ body: 'in the open' }]);
    await actor.send(topic, [{ body: 'sealed' }], { producer: { tls: true } });
    const { messages } = await actor.call('pull', { topic, queue: 0, offset: 0 });
    assert.deepEqual(bodies(messages), ['in the open', 'sealed']);
  });

  void it('the port two below the broker’s takes what is sent to it (VIP channel)', async () => {
    // A client with this switch sends nothing to the broker’s own port, so a send that succeeds went there.
    assert.deepEqual(await roundTrip({ vip: true }), bodies(texts(6)));
  });

  void it('several name servers, some of them dead', async () => {
    const [one, two] = await freePorts(2);
    const client = { namesrv: `127.0.0.1:${one};${actor.namesrv};127.0.0.1:${two}` };
    const topic = await actor.topic(2);
    // A client begins anywhere in the list; 5.x fails a request that meets a dead one and goes to the next with another.
    await until('a send', async () => (await actor.send(topic, [{ body: 'one' }], { producer: client })).length === 1);
    let consumer = '';
    await until('a consumer', async () => {
      ({ consumer } = await actor.call('subscribe', { group: fresh('g'), topics: { [topic]: '*' }, client }));
      return true;
    });
    const got = await actor.received(consumer, 1);
    await actor.call('close', { consumer });
    assert.deepEqual(bodies(got), ['one']);
  });

  void it('members of a group that subscribe differently are reported, with both and the difference', {
    skip: isAgainstPeers && 'Apache’s broker says nothing',
  }, async () => {
    const topic = await actor.topic(2);
    const group = fresh('g');
    const one = await actor.call('subscribe', { group, topics: { [topic]: 'A' } });
    const two = await actor.call('subscribe', { group, topics: { [topic]: 'B' } });
    const reports = (): Record<string, string>[] =>
      actor
        .brokerLog()
        .split('\n')
        .filter((line) => line.includes('different subscriptions') && line.includes(`"${group}"`))
        .map((line) => JSON.parse(line) as Record<string, string>);
    await until('a report', async () => reports().length > 0);
    const [report] = reports();
    assert.deepEqual(new Set([report!['clientId'], report!['otherClientId']]), new Set([one.client, two.client]));
    assert.match(report!['difference']!, /by "A" in .*by "B" in|by "B" in .*by "A" in/);
    for (const { consumer } of [one, two]) await actor.call('close', { consumer });
  });
}
