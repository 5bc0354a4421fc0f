// The name server's key-value table: kept by the core, one scope per namespace, so that it survives a restart.

const PREFIX = 'rocketmq.kv/';

export const kvScope = (namespace: string): string => PREFIX + namespace;
