// The verbs on the RabbitMQ Java client: confirmed and mandatory publishing, consuming with prefetch, get. Automatic
// recovery is off, so that a lost connection shows; the next verb opens a new one.
package compat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

final class AmqpVerbs {
    private final String url;
    private final Map<String, Subscription> subscriptions = new ConcurrentHashMap<>();
    private final AtomicInteger ids = new AtomicInteger();
    private Connection connection;
    private Channel gets;

    AmqpVerbs(String url) {
        this.url = url;
    }

    void register(Map<String, Driver.Verb> verbs) {
        verbs.put("amqp.declare", this::declare);
        verbs.put("amqp.publish", this::publish);
        verbs.put("amqp.get", this::get);
        verbs.put("amqp.subscribe", this::subscribe);
        verbs.put("amqp.take", this::take);
        verbs.put("amqp.settle", this::settle);
        verbs.put("amqp.close", this::close);
        verbs.put("amqp.queueState", this::queueState);
        verbs.put("amqp.delete", this::delete);
        verbs.put("amqp.rpc", this::rpc);
        verbs.put("amqp.tx", this::tx);
        verbs.put("amqp.cancelled", this::cancelled);
    }

    private synchronized Connection connection() throws Exception {
        if (connection == null || !connection.isOpen()) {
            ConnectionFactory factory = new ConnectionFactory();
            factory.setUri(url);
            factory.setAutomaticRecoveryEnabled(false);
            factory.setTopologyRecoveryEnabled(false);
            factory.setConnectionTimeout(5_000);
            connection = factory.newConnection("compat");
            gets = null;
        }
        return connection;
    }

    private JsonObject declare(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        for (JsonElement element : Wire.list(command, "exchanges")) {
            JsonObject exchange = element.getAsJsonObject();
            channel.exchangeDeclare(exchange.get("name").getAsString(), Wire.text(exchange, "type", "topic"), true, false, arguments(exchange));
        }
        JsonArray names = new JsonArray();
        for (JsonElement element : Wire.list(command, "queues")) {
            JsonObject queue = element.getAsJsonObject();
            names.add(channel.queueDeclare(queue.get("name").getAsString(), Wire.flag(queue, "durable", true), Wire.flag(queue, "exclusive", false), false, arguments(queue)).getQueue());
        }
        for (JsonElement element : Wire.list(command, "bindings")) {
            JsonObject binding = element.getAsJsonObject();
            String exchange = binding.get("exchange").getAsString();
            String key = binding.get("key").getAsString();
            String destination = Wire.text(binding, "destination", null);
            if (destination == null) channel.queueBind(binding.get("queue").getAsString(), exchange, key, arguments(binding));
            else channel.exchangeBind(destination, exchange, key, arguments(binding));
        }
        channel.close();
        return Wire.of("queues", names);
    }

    private static Map<String, Object> arguments(JsonObject from) {
        Map<String, Object> arguments = new HashMap<>();
        if (from.has("args")) {
            from.getAsJsonObject("args").entrySet().forEach(entry -> {
                JsonPrimitive value = entry.getValue().getAsJsonPrimitive();
                arguments.put(entry.getKey(), value.isNumber() ? (Object) value.getAsLong() : value.isBoolean() ? (Object) value.getAsBoolean() : value.getAsString());
            });
        }
        return arguments;
    }

    /** Publishes all, waits for every confirm, and tells for each whether it was confirmed, refused or returned. */
    private JsonObject publish(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        channel.confirmSelect();
        int waitMs = Wire.number(command, "waitMs", 20_000);
        JsonArray sent = Wire.list(command, "messages");
        long[] settled = new long[sent.size() + 1];
        JsonObject[] returned = new JsonObject[sent.size() + 1];
        channel.addConfirmListener((tag, multiple) -> mark(settled, tag, multiple, 1), (tag, multiple) -> mark(settled, tag, multiple, -1));
        channel.addReturnListener(back -> {
            JsonObject reason = new JsonObject();
            reason.addProperty("code", back.getReplyCode());
            reason.addProperty("text", back.getReplyText());
            returned[Integer.parseInt(back.getProperties().getMessageId())] = reason;
        });
        int number = 0;
        Exception failure = null;
        try {
            for (JsonElement element : sent) {
                JsonObject message = element.getAsJsonObject();
                number++;
                byte[] key = Wire.bytes(message, "key");
                String routingKey = Wire.text(message, "routingKey", key == null ? "" : new String(key, StandardCharsets.UTF_8));
                byte[] body = Wire.bytes(message, "body");
                channel.basicPublish(Wire.text(command, "exchange", ""), routingKey, Wire.flag(command, "mandatory", false), properties(message, command, number), body == null ? new byte[0] : body);
            }
            channel.waitForConfirms(waitMs);
        } catch (TimeoutException | java.io.IOException | com.rabbitmq.client.ShutdownSignalException e) {
            failure = e;
        }
        JsonArray results = new JsonArray();
        for (int i = 1; i <= sent.size(); i++) {
            JsonObject result = new JsonObject();
            synchronized (settled) {
                result.addProperty("confirmed", settled[i] == 1);
                if (returned[i] != null) result.add("returned", returned[i]);
                if (settled[i] == -1) result.add("error", Wire.error(new IllegalStateException("nacked")));
                if (settled[i] == 0) result.add("error", Wire.error(failure != null ? failure : new IllegalStateException("no confirm")));
            }
            results.add(result);
        }
        try {
            channel.close();
        } catch (Exception gone) {
            // The channel closed by itself: its reason stands in the results.
        }
        return Wire.of("results", results);
    }

    private static void mark(long[] settled, long tag, boolean multiple, int outcome) {
        synchronized (settled) {
            if (!multiple) settled[(int) tag] = outcome;
            else for (int i = 1; i <= tag; i++) if (settled[i] == 0) settled[i] = outcome;
        }
    }

    private static AMQP.BasicProperties properties(JsonObject message, JsonObject command, int number) {
        Map<String, Object> headers = new HashMap<>();
        headers.putAll(Wire.texts(message, "headers"));
        headers.putAll(Wire.binaries(message, "binaryHeaders"));
        String tag = Wire.text(message, "tag", null);
        if (tag != null) headers.put("TAGS", tag);
        AMQP.BasicProperties.Builder properties = new AMQP.BasicProperties.Builder().deliveryMode(2);
        JsonObject given = message.has("properties") ? message.getAsJsonObject("properties") : new JsonObject();
        if (given.has("cc")) {
            java.util.List<String> keys = new java.util.ArrayList<>();
            given.getAsJsonArray("cc").forEach(key -> keys.add(key.getAsString()));
            headers.put("CC", keys);
        }
        if (given.has("delay")) headers.put("x-delay", given.get("delay").getAsInt());
        if (given.has("priority")) properties.priority(given.get("priority").getAsInt());
        properties.expiration(Wire.text(given, "expiration", null));
        properties.replyTo(Wire.text(given, "replyTo", null));
        properties.correlationId(Wire.text(given, "correlationId", null));
        if (!headers.isEmpty()) properties.headers(headers);
        if (Wire.flag(command, "mandatory", false)) properties.messageId(String.valueOf(number));
        return properties.build();
    }

    private synchronized Channel gets() throws Exception {
        Connection open = connection();
        if (gets == null || !gets.isOpen()) gets = open.createChannel();
        return gets;
    }

    private JsonObject get(JsonObject command) throws Exception {
        Channel channel = gets();
        JsonObject reply = new JsonObject();
        synchronized (channel) {
            GetResponse got = channel.basicGet(command.get("queue").getAsString(), Wire.flag(command, "noAck", true));
            reply.add("message", got == null ? JsonNull.INSTANCE : message(got.getEnvelope(), got.getProps(), got.getBody()));
            if (got != null) reply.addProperty("remaining", got.getMessageCount());
        }
        return reply;
    }

    private static JsonObject message(Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        JsonObject message = new JsonObject();
        message.addProperty("exchange", envelope.getExchange());
        message.addProperty("routingKey", envelope.getRoutingKey());
        message.addProperty("redelivered", envelope.isRedeliver());
        message.addProperty("handle", String.valueOf(envelope.getDeliveryTag()));
        message.add("key", envelope.getRoutingKey().isEmpty() ? JsonNull.INSTANCE : Wire.base64(envelope.getRoutingKey().getBytes(StandardCharsets.UTF_8)));
        message.add("body", Wire.base64(body));
        message.add("tag", JsonNull.INSTANCE);
        JsonObject headers = new JsonObject();
        if (properties.getHeaders() != null) {
            properties.getHeaders().forEach((name, value) -> {
                byte[] bytes = bytes(value);
                if (name.equals("TAGS")) message.addProperty("tag", new String(bytes, StandardCharsets.UTF_8));
                else headers.add(name, Wire.base64(bytes));
            });
        }
        message.add("headers", headers);
        JsonObject system = new JsonObject();
        if (properties.getReplyTo() != null) system.addProperty("replyTo", properties.getReplyTo());
        if (properties.getCorrelationId() != null) system.addProperty("correlationId", properties.getCorrelationId());
        message.add("system", system);
        return message;
    }

    private static byte[] bytes(Object value) {
        if (value == null) return null;
        if (value instanceof byte[] raw) return raw;
        if (value instanceof LongString longString) return longString.getBytes();
        return String.valueOf(value).getBytes(StandardCharsets.UTF_8);
    }

    private record Subscription(Channel channel, String tag, LinkedBlockingQueue<JsonObject> ready, AtomicInteger cancels) {}

    private JsonObject subscribe(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        channel.basicQos(Wire.number(command, "prefetch", 100));
        LinkedBlockingQueue<JsonObject> ready = new LinkedBlockingQueue<>();
        AtomicInteger cancels = new AtomicInteger();
        String tag = channel.basicConsume(command.get("queue").getAsString(), Wire.flag(command, "noAck", false), "", false, Wire.flag(command, "exclusive", false), arguments(command), new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(String consumerTag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
                ready.add(message(envelope, properties, body));
            }

            @Override
            public void handleCancel(String consumerTag) {
                cancels.incrementAndGet();
            }
        });
        String id = "a" + ids.incrementAndGet();
        subscriptions.put(id, new Subscription(channel, tag, ready, cancels));
        return Wire.of("consumer", new JsonPrimitive(id));
    }

    private JsonObject take(JsonObject command) throws Exception {
        Subscription subscription = subscriptions.get(command.get("consumer").getAsString());
        JsonArray messages = new JsonArray();
        Takes.drain(subscription.ready(), Wire.number(command, "count", 1), Wire.number(command, "waitMs", 10_000), messages);
        return Wire.of("messages", messages);
    }

    private JsonObject settle(JsonObject command) throws Exception {
        Channel channel = subscriptions.get(command.get("consumer").getAsString()).channel();
        String how = Wire.text(command, "how", "ack");
        boolean multiple = Wire.flag(command, "multiple", false);
        synchronized (channel) {
            for (JsonElement handle : Wire.list(command, "handles")) {
                long tag = Long.parseLong(handle.getAsString());
                switch (how) {
                    case "ack" -> channel.basicAck(tag, multiple);
                    case "retry" -> channel.basicNack(tag, multiple, true);
                    case "reject" -> channel.basicReject(tag, false);
                    default -> throw new IllegalArgumentException(how);
                }
            }
        }
        return new JsonObject();
    }

    private JsonObject close(JsonObject command) throws Exception {
        Subscription subscription = subscriptions.remove(command.get("consumer").getAsString());
        if (subscription.channel().isOpen()) {
            subscription.channel().basicCancel(subscription.tag());
            subscription.channel().close();
        }
        return new JsonObject();
    }

    /** Asks through amq.rabbitmq.reply-to and waits for the answer, as RPC clients do. */
    private JsonObject rpc(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        LinkedBlockingQueue<JsonObject> answers = new LinkedBlockingQueue<>();
        channel.basicConsume("amq.rabbitmq.reply-to", true, new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(String consumerTag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
                answers.add(message(envelope, properties, body));
            }
        });
        AMQP.BasicProperties question = new AMQP.BasicProperties.Builder().replyTo("amq.rabbitmq.reply-to").correlationId("question").build();
        channel.basicPublish("", command.get("queue").getAsString(), question, Wire.bytes(command, "body"));
        JsonObject answer = answers.poll(Wire.number(command, "waitMs", 10_000), TimeUnit.MILLISECONDS);
        channel.close();
        return Wire.of("message", answer == null ? JsonNull.INSTANCE : answer);
    }

    private JsonObject tx(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        channel.txSelect();
        for (JsonElement element : Wire.list(command, "messages")) {
            JsonObject message = element.getAsJsonObject();
            channel.basicPublish("", command.get("queue").getAsString(), properties(message, command, 0), Wire.bytes(message, "body"));
        }
        if (Wire.flag(command, "commit", true)) channel.txCommit();
        else channel.txRollback();
        channel.close();
        return new JsonObject();
    }

    private JsonObject delete(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        channel.queueDelete(command.get("queue").getAsString());
        channel.close();
        return new JsonObject();
    }

    private JsonObject cancelled(JsonObject command) {
        return Wire.of("cancelled", new JsonPrimitive(subscriptions.get(command.get("consumer").getAsString()).cancels().get() > 0));
    }

    private JsonObject queueState(JsonObject command) throws Exception {
        Channel channel = connection().createChannel();
        AMQP.Queue.DeclareOk ok = channel.queueDeclarePassive(command.get("queue").getAsString());
        channel.close();
        JsonObject reply = new JsonObject();
        reply.addProperty("ready", ok.getMessageCount());
        reply.addProperty("consumers", ok.getConsumerCount());
        return reply;
    }
}
