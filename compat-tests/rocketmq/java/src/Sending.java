// Producers: sync, async, oneway and batch sends, to the client's choice of queue, a chosen one, or by selector.
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

final class Sending {
    private final String namesrv;
    private final Map<String, DefaultMQProducer> producers = new HashMap<>();

    Sending(String namesrv) {
        this.namesrv = namesrv;
    }

    void register(Map<String, Wire.Verb> verbs) {
        verbs.put("send", this::send);
        verbs.put("writeQueues", command -> {
            List<Integer> queues = new ArrayList<>();
            for (MessageQueue queue : producer(command.part("producer")).fetchPublishMessageQueues(command.text("topic"))) queues.add(queue.getQueueId());
            return Wire.of("queues", queues.stream().sorted().toList());
        });
        verbs.put("closeProducer", command -> {
            synchronized (this) {
                DefaultMQProducer producer = producers.remove(command.part("producer").json().toString());
                if (producer != null) producer.shutdown();
            }
            return Wire.of();
        });
    }

    /** One producer for each set of options. */
    private synchronized DefaultMQProducer producer(Wire.Command options) throws Exception {
        String name = options.json().toString();
        DefaultMQProducer producer = producers.get(name);
        if (producer == null) {
            String group = options.text("group", "senders");
            producer = options.flag("trace") ? new DefaultMQProducer(group, true, options.text("traceTopic", null)) : new DefaultMQProducer(group, Driver.hook(options));
            Driver.connect(producer, options, namesrv);
            producer.setInstanceName(Driver.instance());
            if (options.has("namespace")) producer.setNamespace(options.text("namespace"));
            producer.setMaxMessageSize(options.number("maxMessageSize", 4 << 20));
            producer.setCompressMsgBodyOverHowmuch(options.number("compressOver", 8 << 20));
            producer.setSendMsgTimeout(options.number("timeoutMs", 10_000));
            producer.setRetryTimesWhenSendFailed(options.number("retries", 2));
            producer.setRetryTimesWhenSendAsyncFailed(options.number("retries", 2));
            producer.setDefaultTopicQueueNums(options.number("autoQueues", 4));
            producer.start();
            producers.put(name, producer);
        }
        return producer;
    }

    static Message message(String topic, Wire.Command from) {
        byte[] body = from.text("body", "").getBytes(StandardCharsets.UTF_8);
        if (from.has("size")) {
            int begins = body.length;
            body = Arrays.copyOf(body, from.number("size", 0));
            for (int i = begins; i < body.length; i++) body[i] = (byte) ('a' + i % 23);
        }
        Message message = new Message(topic, from.text("tag", null), from.text("key", null), from.number("flag", 0), body, true);
        from.texts("properties").forEach(message::putUserProperty);
        if (from.has("delay")) message.setDelayTimeLevel(from.number("delay", 0));
        return message;
    }

    private JsonElement send(Wire.Command command) throws Exception {
        DefaultMQProducer producer = producer(command.part("producer"));
        String topic = command.text("topic");
        String how = command.text("how", "sync");
        List<Wire.Command> wanted = new ArrayList<>();
        for (JsonElement element : command.list("messages")) wanted.add(new Wire.Command(element.getAsJsonObject()));
        JsonArray results = new JsonArray();
        if (how.equals("batch")) {
            List<Message> batch = new ArrayList<>();
            for (Wire.Command from : wanted) batch.add(message(topic, from));
            results.add(result(producer.send(batch)));
            return Wire.of("results", results);
        }
        List<CompletableFuture<JsonObject>> pending = new ArrayList<>();
        for (Wire.Command from : wanted) {
            Message message = message(topic, from);
            try {
                switch (how) {
                    case "async" -> {
                        CompletableFuture<JsonObject> done = new CompletableFuture<>();
                        pending.add(done);
                        producer.send(message, new SendCallback() {
                            @Override
                            public void onSuccess(SendResult sent) {
                                done.complete(result(sent));
                            }

                            @Override
                            public void onException(Throwable failure) {
                                done.complete(Wire.of("error", Driver.error(failure)));
                            }
                        });
                    }
                    case "oneway" -> producer.sendOneway(message);
                    default -> results.add(result(sync(producer, topic, message, from)));
                }
            } catch (Exception failure) {
                results.add(Wire.of("error", Driver.error(failure)));
            }
        }
        for (CompletableFuture<JsonObject> one : pending) results.add(one.get(60, TimeUnit.SECONDS));
        return Wire.of("results", results);
    }

    private static SendResult sync(DefaultMQProducer producer, String topic, Message message, Wire.Command from) throws Exception {
        if (from.has("shard")) return producer.send(message, new SelectMessageQueueByHash(), from.text("shard"));
        if (!from.has("queue")) return producer.send(message);
        int queue = from.number("queue", 0);
        // The broker's name is the route's; a queue that is not in the route can still be asked for.
        String broker = producer.fetchPublishMessageQueues(topic).get(0).getBrokerName();
        return producer.send(message, new MessageQueue(topic, broker, queue));
    }

    private static JsonObject result(SendResult sent) {
        return Wire.of("status", sent.getSendStatus(), "queue", sent.getMessageQueue().getQueueId(), "offset", sent.getQueueOffset(),
            "id", sent.getMsgId(), "offsetId", sent.getOffsetMsgId(), "region", sent.getRegionId(), "traceOn", sent.isTraceOn(), "topic", sent.getMessageQueue().getTopic());
    }
}
