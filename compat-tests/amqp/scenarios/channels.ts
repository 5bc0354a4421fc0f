// Channels: opening, closing, numbers, flow, quality of service as requests.
import { RIGHT } from '../brokers.ts';
import { scenario } from '../scene.ts';
import { FRAME } from '../wire.ts';

export const channels = [
  scenario('channel: opened twice', async (scene) => {
    const channel = await scene.channel();
    channel.send('channel.open');
    await channel.closes();
  }),
  scenario('channel: closed, then opened again', async (scene) => {
    const channel = await scene.channel();
    await channel.close();
    await channel.call('channel.open');
    await channel.qos(3);
  }),
  scenario('channel: an error, close-ok and open in one go', async (scene) => {
    const channel = await scene.channel();
    await channel.passive('nope');
    channel.send('channel.open');
    channel.send('basic.qos', { prefetchCount: 1 });
    await channel.arrives('basic.qos-ok');
  }),
  scenario('channel: what follows an error is dropped until close-ok', async (scene) => {
    const channel = await scene.channel();
    channel.send('queue.declare', { queue: 'nope', passive: true });
    channel.send('queue.declare', { queue: scene.name('dropped'), durable: true });
    await channel.closes();
    await channel.quiet();
    await scene.count(scene.name('dropped'), 0, 0);
  }),
  scenario('channel: a number above the limit while few are open', async (scene) => {
    const link = await scene.link();
    const channel = await link.channel(60_000);
    await channel.qos(1);
  }),
  scenario('channel: more than the limit', async (scene) => {
    const link = await scene.dial();
    link.main.isTold = false;
    link.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await link.main.arrives('connection.start');
    link.main.send('connection.start-ok', { mechanism: 'PLAIN', response: RIGHT, locale: 'en_US' });
    await link.main.arrives('connection.tune');
    link.main.send('connection.tune-ok', { channelMax: 2, frameMax: 131_072, heartbeat: 0 });
    link.main.send('connection.open', { virtualHost: '/' });
    await link.main.arrives('connection.open-ok');
    link.main.isTold = true;
    for (const number of [1, 2, 3]) await link.at(number).call('channel.open');
  }),
  scenario('channel: flow on and off', async (scene) => {
    const channel = await scene.channel();
    await channel.call('channel.flow', { active: true });
    await channel.call('channel.flow', { active: false });
  }),
  scenario('channel: a method on a closed channel', async (scene) => {
    const channel = await scene.channel();
    await channel.close();
    channel.raw(FRAME.method, Buffer.from([0, 60, 0, 10, 0, 0, 0, 0, 0, 1, 0]));
    await channel.link.main.closes();
  }),
  scenario('channel: close-ok nobody asked for', async (scene) => {
    const channel = await scene.channel();
    channel.send('channel.close-ok');
    await channel.link.main.closes(1_000);
  }),
  scenario('channel: access.request', async (scene) => {
    const channel = await scene.channel();
    await channel.call('access.request', { realm: '/data', active: true, read: true });
  }),
  scenario('channel: a prefetch size', async (scene) => {
    const channel = await scene.channel();
    channel.send('basic.qos', { prefetchSize: 1_000, prefetchCount: 1 });
    await channel.closes();
  }),
  scenario('channel: recover without requeue', async (scene) => {
    const channel = await scene.channel();
    channel.send('basic.recover', { requeue: false });
    await channel.closes();
  }),
  scenario('channel: immediate', async (scene) => {
    const channel = await scene.channel();
    channel.publish('', 'nowhere', 'x', {}, { immediate: true });
    await channel.closes();
  }),
];
