// Connections: the protocol header, login, tuning, framing, and what ends them.
import { AMQPLAIN, NOBODY, PASSWORD, RIGHT, WRONG } from '../brokers.ts';
import { scenario } from '../scene.ts';
import { FRAME, frame, headerPayload, methodPayload } from '../wire.ts';

const HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** Says the header and start-ok with this answer, and waits for what comes. */
const start = (name: string, fields: Record<string, unknown>) =>
  scenario(`connection: ${name}`, async (scene) => {
    const link = await scene.dial();
    link.write(HEADER);
    link.main.isTold = false;
    await link.main.arrives('connection.start');
    link.main.isTold = true;
    link.main.send('connection.start-ok', {
      clientProperties: { capabilities: { authentication_failure_close: true } },
      mechanism: 'PLAIN',
      locale: 'en_US',
      ...fields,
    });
    await Promise.race([link.main.arrives('connection.tune', 5_000), link.ended(5_000)]);
  });

/** Goes up to tune-ok with these values and open. */
const tune = (name: string, values: (offer: Record<string, unknown>) => Record<string, unknown>) =>
  scenario(`connection: tune-ok ${name}`, async (scene) => {
    const link = await scene.dial();
    const { main } = link;
    main.isTold = false;
    link.write(HEADER);
    await main.arrives('connection.start');
    main.send('connection.start-ok', { mechanism: 'PLAIN', response: RIGHT, locale: 'en_US' });
    const offer = (await main.arrives('connection.tune'))!;
    main.isTold = true;
    main.send('connection.tune-ok', values(offer));
    main.send('connection.open', { virtualHost: '/' });
    await Promise.race([main.arrives('connection.open-ok', 5_000), link.ended(5_000)]);
  });

/** On an open connection with an open channel, these frames, and then what the broker does. */
const frames = (name: string, ...all: Buffer[]) =>
  scenario(`frames: ${name}`, async (scene) => {
    const channel = await scene.channel();
    for (const one of all) channel.link.write(one);
    await channel.link.main.closes(1_500);
  });

const publish = (channel = 1): Buffer =>
  frame(FRAME.method, channel, methodPayload('basic.publish', { routingKey: 'nowhere' }));

export const connection = [
  ...[
    ['AMQP\0\0\x09\x01', '0-9-1'],
    ['AMQP\x01\x01\0\x09', '0-9'],
    ['AMQP\x01\x01\x08\0', '0-8'],
    ['AMQP\0\x01\0\0', '1.0'],
    ['AMQP\x03\x01\0\0', '1.0 with SASL'],
    ['AMQP\0\0\x09\x02', '0-9-2'],
    ['GET / HTTP/1.1\r\n\r\n', 'an HTTP request'],
    ['\x16\x03\x01\0\x50\x01\0\0', 'a TLS hello'],
  ].map(([bytes, name]) =>
    scenario(`connection: header ${name}`, async (scene) => {
      const link = await scene.dial();
      link.write(Buffer.from(bytes!, 'latin1'));
      await Promise.race([link.main.arrives('connection.start', 4_000), link.ended(4_000)]);
    }),
  ),
  scenario('connection: the whole handshake', async (scene) => {
    const link = await scene.dial();
    await link.login({}, true);
    await link.main.call('connection.close', { replyCode: 200, replyText: 'bye' });
    link.cut();
  }),
  start('a wrong password', { response: WRONG }),
  start('a user that is not there', { response: NOBODY }),
  start('AMQPLAIN', {
    mechanism: 'AMQPLAIN',
    response: AMQPLAIN,
  }),
  start('an unknown mechanism', { mechanism: 'NONE', response: '' }),
  start('a PLAIN answer without separators', { response: 'guest' }),
  start('a wrong password without the capability', { clientProperties: {}, response: WRONG }),
  scenario('connection: a virtual host that is not there', async (scene) => {
    const link = await scene.dial();
    await link.login({ vhost: '/nope' }, true);
    await link.ended();
  }),
  scenario('connection: opened twice', async (scene) => {
    const link = await scene.link();
    link.main.send('connection.open', { virtualHost: '/' });
    await link.main.closes();
  }),
  scenario('connection: tune-ok again', async (scene) => {
    const link = await scene.link();
    link.main.send('connection.tune-ok', { channelMax: 10, frameMax: 8_192, heartbeat: 0 });
    await link.main.closes();
  }),
  tune('as offered', (offer) => offer),
  tune('with less of all', () => ({ channelMax: 5, frameMax: 8_192, heartbeat: 5 })),
  tune('with frames of 4096', () => ({ channelMax: 5, frameMax: 4_096, heartbeat: 5 })),
  tune('with too many channels', (offer) => ({ ...offer, channelMax: Number(offer['channelMax']) + 1 })),
  tune('with 0 channels', (offer) => ({ ...offer, channelMax: 0 })),
  tune('with too large frames', (offer) => ({ ...offer, frameMax: Number(offer['frameMax']) + 1 })),
  tune('with 0 as frame size', (offer) => ({ ...offer, frameMax: 0 })),
  tune('with too small frames', (offer) => ({ ...offer, frameMax: 1_000 })),
  tune('with a longer heartbeat', (offer) => ({ ...offer, heartbeat: 600 })),
  scenario('connection: frames before the header are refused', async (scene) => {
    const link = await scene.dial();
    link.write(frame(FRAME.heartbeat, 0, Buffer.alloc(0)));
    await link.ended(4_000);
  }),
  scenario('connection: open before start-ok', async (scene) => {
    const link = await scene.dial();
    link.write(HEADER);
    link.main.isTold = false;
    await link.main.arrives('connection.start');
    link.main.isTold = true;
    link.main.send('connection.open', { virtualHost: '/' });
    await link.ended(5_000);
  }),
  scenario('connection: a new secret', async (scene) => {
    const link = await scene.link();
    await link.main.call('connection.update-secret', { newSecret: PASSWORD, reason: 'it was time' });
    await link.main.call('connection.update-secret', { newSecret: 'another', reason: 'it was time' });
    const channel = await link.channel();
    await channel.qos(1);
  }),
  scenario('connection: heartbeats come, and the silent are dropped', async (scene) => {
    const link = await scene.link({ heartbeat: 1 });
    const began = performance.now();
    await link.ended(8_000);
    const seconds = (performance.now() - began) / 1_000;
    link.main.tell(`heartbeats: ${link.heartbeats >= 2 && link.heartbeats <= 8 ? 'some' : link.heartbeats}`);
    link.main.tell(`dropped ${seconds > 1.5 && seconds < 5 ? 'after about two intervals' : `after ${seconds} s`}`);
  }),
  scenario('connection: whoever sends heartbeats stays', async (scene) => {
    const link = await scene.link({ heartbeat: 1 });
    for (let i = 0; i < 9; i++) {
      await scene.sleep(500);
      link.write(frame(FRAME.heartbeat, 0, Buffer.alloc(0)));
    }
    const channel = await link.channel();
    await channel.qos(1);
  }),
  scenario('connection: close is answered, what follows is not', async (scene) => {
    const channel = await scene.channel();
    const { main } = channel.link;
    main.send('connection.close', { replyCode: 200, replyText: 'bye' });
    channel.send('basic.qos', { prefetchCount: 1 });
    await channel.link.ended(1_000);
  }),
  frames('a wrong end octet', frame(FRAME.method, 1, methodPayload('basic.qos'), 0xcd)),
  frames('an unknown type', frame(4, 1, Buffer.from('hello'))),
  frames('a heartbeat on a channel', frame(FRAME.heartbeat, 1, Buffer.alloc(0))),
  frames('a heartbeat with a payload', frame(FRAME.heartbeat, 0, Buffer.from('x'))),
  frames(
    'a method without all of its arguments',
    frame(FRAME.method, 1, methodPayload('queue.declare').subarray(0, 6)),
  ),
  frames(
    'a method with too many octets',
    frame(FRAME.method, 1, Buffer.concat([methodPayload('basic.qos'), Buffer.alloc(3)])),
  ),
  frames('an unknown method', frame(FRAME.method, 1, Buffer.from([0, 60, 0, 99]))),
  frames('an unknown class', frame(FRAME.method, 1, Buffer.from([0, 99, 0, 10]))),
  frames('a method of the server', frame(FRAME.method, 1, methodPayload('basic.qos-ok'))),
  frames('a method of the connection on a channel', frame(FRAME.method, 1, methodPayload('connection.close'))),
  frames('a method of a channel on channel 0', frame(FRAME.method, 0, methodPayload('basic.qos'))),
  frames('a header without a method', frame(FRAME.header, 1, headerPayload(1))),
  frames('a body without a method', frame(FRAME.body, 1, Buffer.from('x'))),
  frames('a body where a header belongs', publish(), frame(FRAME.body, 1, Buffer.from('x'))),
  frames('a method where a header belongs', publish(), frame(FRAME.method, 1, methodPayload('basic.qos'))),
  frames(
    'a method where a body belongs',
    publish(),
    frame(FRAME.header, 1, headerPayload(5)),
    frame(FRAME.method, 1, methodPayload('basic.qos')),
  ),
  frames('a header of another class', publish(), frame(FRAME.header, 1, headerPayload(0, {}, 50))),
  frames('a header that ends early', publish(), frame(FRAME.header, 1, headerPayload(1).subarray(0, 9))),
  frames('a header on channel 0', frame(FRAME.header, 0, headerPayload(1))),
  frames(
    'more body than the header said',
    publish(),
    frame(FRAME.header, 1, headerPayload(2)),
    frame(FRAME.body, 1, Buffer.from('long')),
  ),
  frames(
    'an empty body frame for an empty body',
    publish(),
    frame(FRAME.header, 1, headerPayload(0)),
    frame(FRAME.body, 1, Buffer.alloc(0)),
  ),
  frames('larger than agreed', frame(FRAME.method, 1, Buffer.alloc(200_000))),
  frames(
    'a table with an unknown type',
    frame(
      FRAME.method,
      1,
      Buffer.concat([
        methodPayload('queue.declare', { queue: 'x' }).subarray(0, -4),
        Buffer.from('\0\0\0\x03\x01aZ', 'latin1'),
      ]),
    ),
  ),
  frames('a channel that was never opened', frame(FRAME.method, 9, methodPayload('basic.qos'))),
];
