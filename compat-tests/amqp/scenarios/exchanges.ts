// Exchanges: declaring, deleting, every type's routing, bindings between exchanges, alternate exchanges.
import { scenario } from '../scene.ts';
import { type Fields, field, type Table } from '../wire.ts';

const again = (name: string, first: [string, Table, Fields?], second: [string, Table, Fields?]) =>
  scenario(`exchange again: ${name}`, async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    await channel.exchange(exchange, ...first);
    await channel.exchange(exchange, ...second);
  });

/** Which of the queues, one a pattern, each key reaches. */
const routes = (name: string, type: string, patterns: readonly string[], keys: readonly string[]) =>
  scenario(`routing: ${name}`, async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    await channel.exchange(exchange, type);
    channel.isTold = false;
    for (const [i, pattern] of patterns.entries()) {
      await channel.queue(scene.name(`q${i}`));
      await channel.bind(scene.name(`q${i}`), exchange, pattern);
    }
    for (const key of keys) channel.publish(exchange, key, key);
    channel.isTold = true;
    for (const [i, pattern] of patterns.entries()) {
      channel.tell(`bound by "${pattern}":`);
      await channel.drain(scene.name(`q${i}`));
    }
  });

/** Which binding arguments match which headers, one queue a binding. */
const headers = (name: string, bindings: readonly Table[], messages: readonly Table[]) =>
  scenario(`headers exchange: ${name}`, async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    await channel.exchange(exchange, 'headers');
    for (const [i, binding] of bindings.entries()) {
      await channel.queue(scene.name(`q${i}`));
      await channel.bind(scene.name(`q${i}`), exchange, '', binding);
    }
    for (const [i, one] of messages.entries()) channel.publish(exchange, '', String(i), { headers: one });
    for (const i of bindings.keys()) await channel.drain(scene.name(`q${i}`));
  });

export const exchanges = [
  again('the same', ['direct', {}], ['direct', {}]),
  again('another type', ['direct', {}], ['fanout', {}]),
  again('not durable', ['direct', {}], ['direct', {}, { durable: false }]),
  again('auto-delete', ['direct', {}], ['direct', {}, { autoDelete: true }]),
  again('internal', ['direct', {}], ['direct', {}, { internal: true }]),
  again('an alternate exchange more', ['direct', {}], ['direct', { 'alternate-exchange': 'amq.fanout' }]),
  again(
    'another alternate exchange',
    ['direct', { 'alternate-exchange': 'a' }],
    ['direct', { 'alternate-exchange': 'b' }],
  ),
  again('an unknown argument', ['direct', { 'x-made-up': 1 }], ['direct', { 'x-made-up': 2 }]),
  scenario('exchange: an unknown type', async (scene) => {
    const channel = await scene.channel();
    await channel.exchange(scene.name('x'), 'nope');
  }),
  scenario('exchange: an alternate exchange that is a number', async (scene) => {
    const channel = await scene.channel();
    await channel.exchange(scene.name('x'), 'direct', { 'alternate-exchange': 1 });
  }),
  scenario('exchange: those that are always there', async (scene) => {
    const link = await scene.link();
    const there = ['amq.direct', 'amq.fanout', 'amq.topic', 'amq.headers', 'amq.match', 'amq.rabbitmq.trace'];
    for (const exchange of there)
      await (await link.channel()).call('exchange.declare', { exchange, type: '', passive: true });
    await (await link.channel()).exchange('amq.direct', 'direct');
    await (await link.channel()).exchange('amq.direct', 'topic');
    await (await link.channel()).exchange('amq.mine', 'direct');
    await (await link.channel()).call('exchange.delete', { exchange: 'amq.direct' });
    await (await link.channel()).call('exchange.delete', { exchange: 'amq.not-there' });
  }),
  scenario('exchange: the default one', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    await (await link.channel()).queue(queue);
    await (await link.channel()).exchange('', 'direct');
    await (await link.channel()).call('exchange.declare', { exchange: '', passive: true });
    await (await link.channel()).call('exchange.delete', { exchange: '' });
    await (await link.channel()).bind(queue, '', 'k');
    await (await link.channel()).call('queue.unbind', { queue, exchange: '', routingKey: queue });
    await (await link.channel()).bindExchange('amq.fanout', '', 'k');
    await (await link.channel()).bindExchange('', 'amq.fanout', 'k');
  }),
  scenario('exchange: passive and delete of what is not there', async (scene) => {
    const link = await scene.link();
    const exchange = scene.name('x');
    await (await link.channel()).call('exchange.declare', { exchange, type: 'direct', passive: true });
    await (await link.channel()).call('exchange.delete', { exchange });
    await (await link.channel()).call('exchange.delete', { exchange, ifUnused: true });
  }),
  scenario('exchange: delete if unused', async (scene) => {
    const link = await scene.link();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    const channel = await link.channel();
    await channel.exchange(exchange, 'direct');
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'k');
    await (await link.channel()).call('exchange.delete', { exchange, ifUnused: true });
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'k' });
    await channel.call('exchange.delete', { exchange, ifUnused: true });
  }),
  scenario('exchange: publishing to what is not there', async (scene) => {
    const channel = await scene.channel();
    channel.publish(scene.name('x'), 'k', 'm');
    await channel.closes();
  }),
  scenario('exchange: publishing to an internal one', async (scene) => {
    const link = await scene.link();
    const exchange = scene.name('x');
    const channel = await link.channel();
    await channel.exchange(exchange, 'fanout', {}, { internal: true });
    channel.publish(exchange, 'k', 'm');
    await channel.closes();
  }),
  scenario('exchange: an internal one behind another', async (scene) => {
    const channel = await scene.channel();
    const [outer, inner, queue] = [scene.name('outer'), scene.name('inner'), scene.name('q')];
    await channel.exchange(outer, 'fanout');
    await channel.exchange(inner, 'fanout', {}, { internal: true });
    await channel.queue(queue);
    await channel.bindExchange(inner, outer);
    await channel.bind(queue, inner);
    channel.publish(outer, 'k', 'm');
    await channel.drain(queue);
  }),
  scenario('exchange: auto-delete goes with its last binding', async (scene) => {
    const link = await scene.link();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    const channel = await link.channel();
    await channel.exchange(exchange, 'direct', {}, { autoDelete: true });
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'a');
    await channel.bind(queue, exchange, 'b');
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'a' });
    await channel.call('exchange.declare', { exchange, passive: true });
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'b' });
    await channel.call('exchange.declare', { exchange, passive: true });
  }),
  scenario('exchange: auto-delete goes with the queue bound to it', async (scene) => {
    const link = await scene.link();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    const channel = await link.channel();
    await channel.exchange(exchange, 'direct', {}, { autoDelete: true });
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'a');
    await channel.call('queue.delete', { queue });
    await channel.call('exchange.declare', { exchange, passive: true });
  }),
  scenario('exchange: nowait', async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    channel.send('exchange.declare', { exchange, type: 'direct', nowait: true });
    await channel.call('exchange.declare', { exchange, passive: true });
    channel.send('exchange.delete', { exchange, nowait: true });
    await channel.call('exchange.declare', { exchange, passive: true });
  }),
  scenario('exchange: bound twice is bound once', async (scene) => {
    const channel = await scene.channel();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    await channel.exchange(exchange, 'topic');
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'a.*');
    await channel.bind(queue, exchange, 'a.*');
    await channel.bind(queue, exchange, '#');
    await channel.bind(queue, exchange, 'a.*', { note: 'another binding' });
    channel.publish(exchange, 'a.b', 'once');
    await channel.drain(queue);
    await channel.call('queue.unbind', { queue, exchange, routingKey: '#' });
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'a.*' });
    channel.publish(exchange, 'a.b', 'still');
    await channel.call('queue.unbind', { queue, exchange, routingKey: 'a.*', arguments: { note: 'another binding' } });
    channel.publish(exchange, 'a.b', 'no more');
    await channel.drain(queue);
  }),
  scenario('exchange: deleting one takes its bindings along', async (scene) => {
    const channel = await scene.channel();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    await channel.exchange(exchange, 'direct');
    await channel.queue(queue);
    await channel.bind(queue, exchange, 'k');
    await channel.call('exchange.delete', { exchange });
    await channel.exchange(exchange, 'direct');
    channel.publish(exchange, 'k', 'm', {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
  }),

  routes('direct', 'direct', ['a', 'b', '', 'a.b'], ['a', 'b', '', 'a.b', 'A', 'c']),
  routes('fanout', 'fanout', ['a', '', '#'], ['a', '', 'zzz']),
  routes(
    'topic',
    'topic',
    ['a.b', '*', '#', 'a.*', 'a.#', '*.b', '#.b', '*.*', 'a.*.c', 'a.#.c', '#.#', '*.#', '#.*', '', '..', 'a.'],
    ['', 'a', 'b', 'a.b', 'a.b.c', 'a.c', 'a.b.b.c', '.', '..', 'a.', '.b', 'a..c', '*', '#', 'a.*'],
  ),
  routes(
    'topic with words within words',
    'topic',
    ['a*', '*b', 'a#b', 'ab.#c', 'ä.*'],
    ['a', 'ab', 'a#b', 'a*', 'ab.c', 'ä.ö'],
  ),

  headers(
    'all and any',
    [
      { 'x-match': 'all', a: 1, b: 'two' },
      { 'x-match': 'any', a: 1, b: 'two' },
      { a: 1, b: 'two' },
      { 'x-match': 'all' },
      { 'x-match': 'any' },
      { 'x-match': 'all', a: null },
      { 'x-match': 'any', a: null, c: 1 },
    ],
    [{ a: 1, b: 'two' }, { a: 1 }, { b: 'two' }, {}, { a: '1', b: 'two' }, { a: 2, b: 'three' }, { c: 1 }, { a: null }],
  ),
  headers(
    'types of values',
    [
      { a: field('I', 1) },
      { a: field('l', 1) },
      { a: field('b', 1) },
      { a: field('S', '1') },
      { a: field('t', true) },
      { a: field('d', 1) },
      { a: field('x', '1') },
      { a: field('T', 1) },
    ],
    [
      { a: field('I', 1) },
      { a: field('s', 1) },
      { a: field('l', 1) },
      { a: field('S', '1') },
      { a: field('t', true) },
      { a: field('t', false) },
      { a: field('d', 1) },
      { a: field('f', 1) },
      { a: field('x', '1') },
      { a: field('T', 1) },
    ],
  ),
  headers(
    'tables and arrays as values',
    [{ a: { b: 1 } }, { a: [1, 'x'] }, { a: field('D', [2, 314]) }],
    [
      { a: { b: 1 } },
      { a: { b: 2 } },
      { a: [1, 'x'] },
      { a: [1] },
      { a: field('D', [2, 314]) },
      { a: field('D', [3, 3140]) },
    ],
  ),
  headers(
    'names that begin with x-',
    [
      { 'x-match': 'all', 'x-a': 1, b: 1 },
      { 'x-match': 'all-with-x', 'x-a': 1, b: 1 },
      { 'x-match': 'any', 'x-a': 1, b: 1 },
      { 'x-match': 'any-with-x', 'x-a': 1, b: 1 },
      { 'x-match': 'any', 'x-a': 1 },
    ],
    [{ 'x-a': 1, b: 1 }, { b: 1 }, { 'x-a': 1 }, { 'x-a': 2, b: 1 }, {}],
  ),
  scenario('headers exchange: a match that is not known', async (scene) => {
    const link = await scene.link();
    const queue = scene.name('q');
    await (await link.channel()).queue(queue);
    await (await link.channel()).bind(queue, 'amq.headers', '', { 'x-match': 'some' });
    await (await link.channel()).bind(queue, 'amq.headers', '', { 'x-match': 1 });
    const channel = await link.channel();
    channel.publish('amq.headers', '', 'no headers at all', {}, { mandatory: true });
    await channel.quiet();
  }),

  scenario('exchange to exchange: a chain and a cycle', async (scene) => {
    const channel = await scene.channel();
    const [a, b, c, queue] = ['a', 'b', 'c', 'q'].map((one) => scene.name(one)) as [string, string, string, string];
    await channel.exchange(a, 'topic');
    await channel.exchange(b, 'direct');
    await channel.exchange(c, 'fanout');
    await channel.queue(queue);
    await channel.bindExchange(b, a, '#.err');
    await channel.bindExchange(c, b, 'app.err');
    await channel.bindExchange(a, c, '');
    await channel.bind(queue, c, '');
    await channel.bind(queue, a, 'app.*');
    for (const key of ['app.err', 'app.log', 'other.err', 'x']) channel.publish(a, key, key, {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
  }),
  scenario('exchange to exchange: binding, unbinding, what is not there', async (scene) => {
    const link = await scene.link();
    const [a, b, queue] = [scene.name('a'), scene.name('b'), scene.name('q')];
    const channel = await link.channel();
    await channel.exchange(a, 'direct');
    await channel.exchange(b, 'fanout');
    await channel.queue(queue);
    await channel.bind(queue, b);
    await channel.bindExchange(b, a, 'k');
    await channel.bindExchange(b, a, 'k');
    channel.publish(a, 'k', 'bound');
    await channel.call('exchange.unbind', { destination: b, source: a, routingKey: 'k' });
    await channel.call('exchange.unbind', { destination: b, source: a, routingKey: 'k' });
    channel.publish(a, 'k', 'not bound');
    await channel.drain(queue);
    await (await link.channel()).bindExchange(scene.name('none'), a, 'k');
    await (await link.channel()).bindExchange(b, scene.name('none'), 'k');
    await (await link.channel()).call('exchange.unbind', {
      destination: scene.name('none'),
      source: a,
      routingKey: 'k',
    });
    channel.send('exchange.bind', { destination: b, source: a, routingKey: 'n', nowait: true });
    channel.publish(a, 'n', 'without waiting');
    await channel.drain(queue);
  }),
  scenario('exchange to exchange: auto-delete of the source', async (scene) => {
    const link = await scene.link();
    const [a, b] = [scene.name('a'), scene.name('b')];
    const channel = await link.channel();
    await channel.exchange(a, 'fanout', {}, { autoDelete: true });
    await channel.exchange(b, 'fanout');
    await channel.bindExchange(b, a);
    await channel.call('exchange.delete', { exchange: b });
    await channel.call('exchange.declare', { exchange: a, passive: true });
  }),

  scenario('headers exchange: names that mean something to other protocols', async (scene) => {
    const channel = await scene.channel();
    const [exchange, queue] = [scene.name('x'), scene.name('q')];
    await channel.exchange(exchange, 'headers');
    await channel.queue(queue);
    for (const name of ['x-key', 'TAGS', 'amqp.type']) {
      await channel.bind(queue, exchange, name, { 'x-match': 'all-with-x', [name]: 'v' });
      channel.publish(exchange, '', name, { headers: { [name]: 'v' } }, { mandatory: true });
    }
    await channel.quiet();
    await channel.drain(queue);
  }),
  scenario('alternate exchange: takes what nobody wants', async (scene) => {
    const channel = await scene.channel();
    const [main, other, queue, rest] = [scene.name('x'), scene.name('ae'), scene.name('q'), scene.name('rest')];
    await channel.exchange(other, 'fanout');
    await channel.exchange(main, 'direct', { 'alternate-exchange': other });
    await channel.queue(queue);
    await channel.queue(rest);
    await channel.bind(queue, main, 'k');
    await channel.bind(rest, other);
    await channel.confirm();
    channel.publish(main, 'k', 'wanted', {}, { mandatory: true });
    channel.publish(main, 'z', 'unwanted', {}, { mandatory: true });
    await channel.confirms();
    await channel.drain(queue);
    await channel.drain(rest);
  }),
  scenario('alternate exchange: not there, a chain, a cycle', async (scene) => {
    const channel = await scene.channel();
    const [a, b, c, queue] = ['a', 'b', 'c', 'q'].map((one) => scene.name(one)) as [string, string, string, string];
    await channel.exchange(a, 'direct', { 'alternate-exchange': b });
    await channel.confirm();
    channel.publish(a, 'k', 'before it is there', {}, { mandatory: true });
    await channel.confirms();
    await channel.exchange(b, 'direct', { 'alternate-exchange': c });
    await channel.exchange(c, 'direct', { 'alternate-exchange': a });
    channel.publish(a, 'k', 'round and round', {}, { mandatory: true });
    await channel.confirms();
    await channel.queue(queue);
    await channel.bind(queue, c, 'k');
    channel.publish(a, 'k', 'by two', {}, { mandatory: true });
    await channel.confirms();
    await channel.drain(queue);
  }),
  scenario('alternate exchange: behind a binding between exchanges', async (scene) => {
    const channel = await scene.channel();
    const [a, b, other, queue] = ['a', 'b', 'ae', 'q'].map((one) => scene.name(one)) as [
      string,
      string,
      string,
      string,
    ];
    await channel.exchange(a, 'fanout');
    await channel.exchange(other, 'fanout');
    await channel.exchange(b, 'direct', { 'alternate-exchange': other });
    await channel.bindExchange(b, a);
    await channel.queue(queue);
    await channel.bind(queue, other);
    channel.publish(a, 'k', 'm', {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
  }),
  scenario('alternate exchange: a binding that leads nowhere has taken it', async (scene) => {
    const channel = await scene.channel();
    const [main, nowhere, other, queue] = [scene.name('x'), scene.name('no'), scene.name('ae'), scene.name('q')];
    await channel.exchange(other, 'fanout');
    await channel.exchange(nowhere, 'direct');
    await channel.exchange(main, 'fanout', { 'alternate-exchange': other });
    await channel.bindExchange(nowhere, main);
    await channel.queue(queue);
    await channel.bind(queue, other);
    await channel.confirm();
    channel.publish(main, 'k', 'm', {}, { mandatory: true });
    await channel.confirms();
    await channel.drain(queue);
  }),
  scenario('alternate exchange: with CC, only when no key is routed', async (scene) => {
    const channel = await scene.channel();
    const [main, other, queue, rest] = [scene.name('x'), scene.name('ae'), scene.name('q'), scene.name('rest')];
    await channel.exchange(other, 'fanout');
    await channel.exchange(main, 'direct', { 'alternate-exchange': other });
    for (const one of [queue, rest]) await channel.queue(one);
    await channel.bind(queue, main, 'k');
    await channel.bind(rest, other);
    await channel.confirm();
    channel.publish(main, 'miss', 'by CC', { headers: { CC: ['k'] } }, { mandatory: true });
    channel.publish(main, 'k', 'by the key', { headers: { CC: ['miss'] } }, { mandatory: true });
    channel.publish(main, 'miss', 'by BCC', { headers: { BCC: ['k'] } }, { mandatory: true });
    channel.publish(main, 'miss', 'by none', { headers: { CC: ['miss too'] } }, { mandatory: true });
    await channel.confirms();
    await channel.drain(queue);
    await channel.drain(rest);
  }),
  scenario('alternate exchange: not for a dead letter that would go round', async (scene) => {
    const channel = await scene.channel();
    const [main, other, queue, rest] = [scene.name('x'), scene.name('ae'), scene.name('q'), scene.name('rest')];
    await channel.exchange(other, 'fanout');
    await channel.exchange(main, 'direct', { 'alternate-exchange': other });
    await channel.queue(queue, {}, { 'x-dead-letter-exchange': main, 'x-message-ttl': 50 });
    await channel.queue(rest);
    await channel.bind(queue, main, 'k');
    await channel.bind(rest, other);
    channel.publish(main, 'k', 'm');
    await scene.sleep(300);
    await scene.count(queue, 0);
    await scene.count(rest, 0);
  }),
  scenario('consistent hash: one copy, however many keys', async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    await channel.exchange(exchange, 'x-consistent-hash');
    channel.isTold = false;
    const all = ['a', 'b', 'c', 'd'].map((one) => scene.name(one));
    for (const queue of all) {
      await channel.queue(queue);
      await channel.bind(queue, exchange, '10');
    }
    const CC = Array.from({ length: 20 }, (_, n) => `key-${n}`);
    channel.publish(exchange, 'key', 'm', { headers: { CC } });
    let total = 0;
    for (const queue of all) total += (await channel.drain(queue)).length;
    scene.tell(`${total} in all`);
  }),
  scenario('consistent hash: one of the queues, the same for the same key', async (scene) => {
    const channel = await scene.channel();
    const exchange = scene.name('x');
    await channel.exchange(exchange, 'x-consistent-hash');
    channel.isTold = false;
    const all = ['a', 'b', 'c'].map((one) => scene.name(one));
    for (const queue of all) {
      await channel.queue(queue);
      await channel.bind(queue, exchange, '10');
    }
    for (let i = 0; i < 300; i++) for (let j = 0; j < 2; j++) channel.publish(exchange, `key-${i}`, `${i}`);
    let total = 0;
    let isTogether = true;
    let smallest = Number.POSITIVE_INFINITY;
    for (const queue of all) {
      const bodies = (await channel.drain(queue)).map((one) => one.body);
      total += bodies.length;
      smallest = Math.min(smallest, bodies.length);
      isTogether &&= bodies.every((body) => bodies.filter((other) => other === body).length === 2);
    }
    scene.tell(`${total} in all, the same keys together: ${isTogether}, each queue has some: ${smallest > 90}`);
  }),
  scenario('consistent hash: weights, headers and properties', async (scene) => {
    const link = await scene.link();
    const [exchange, byHeader, queue] = [scene.name('x'), scene.name('h'), scene.name('q')];
    const channel = await link.channel();
    await channel.queue(queue);
    await channel.exchange(exchange, 'x-consistent-hash');
    await channel.exchange(byHeader, 'x-consistent-hash', { 'hash-header': 'h' });
    await channel.bind(queue, byHeader, '1');
    channel.publish(byHeader, 'any', 'm', { headers: { h: 'x' } }, { mandatory: true });
    channel.publish(byHeader, 'any', 'without the header', {}, { mandatory: true });
    await channel.quiet();
    await channel.drain(queue);
    channel.publish(exchange, 'k', 'no queue', {}, { mandatory: true });
    await channel.quiet();
    await (await link.channel()).exchange(scene.name('p'), 'x-consistent-hash', { 'hash-property': 'message_id' });
    await (await link.channel()).exchange(scene.name('w'), 'x-consistent-hash', { 'hash-property': 'app_id' });
    await (await link.channel()).exchange(scene.name('b'), 'x-consistent-hash', {
      'hash-property': 'message_id',
      'hash-header': 'h',
    });
    await (await link.channel()).bind(queue, exchange, 'heavy');
  }),
];
