// Serves the adapter over a broker in memory on a TCP port, for trying real clients by hand:
//
//   node adapters/rocketmq/testing/launch.ts [port]

import { harness, listen } from './harness.ts';

const { adapter, defects } = await harness();
const { port } = await listen(adapter, Number(process.argv[2] ?? 9876));
process.stdout.write(`listening on 127.0.0.1:${port}\n`);
setInterval(() => {
  for (const defect of defects.splice(0))
    process.stderr.write(`${String((defect as { error?: Error }).error?.stack)}\n`);
}, 200);
