/** Kinds of things that have a configuration (ConfigResource.Type). */
export const RESOURCE = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const;
