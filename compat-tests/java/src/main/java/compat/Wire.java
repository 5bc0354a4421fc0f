// Shapes on the driver's wire: bytes are base64, null is null, and a received header is always its bytes.
package compat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

final class Wire {
    private Wire() {}

    static String text(JsonObject from, String name, String otherwise) {
        JsonElement value = from.get(name);
        return value == null || value.isJsonNull() ? otherwise : value.getAsString();
    }

    static int number(JsonObject from, String name, int otherwise) {
        JsonElement value = from.get(name);
        return value == null || value.isJsonNull() ? otherwise : value.getAsInt();
    }

    static boolean flag(JsonObject from, String name, boolean otherwise) {
        JsonElement value = from.get(name);
        return value == null || value.isJsonNull() ? otherwise : value.getAsBoolean();
    }

    static byte[] bytes(JsonObject from, String name) {
        String base64 = text(from, name, null);
        return base64 == null ? null : Base64.getDecoder().decode(base64);
    }

    static JsonElement base64(byte[] bytes) {
        return bytes == null ? JsonNull.INSTANCE : new JsonPrimitive(Base64.getEncoder().encodeToString(bytes));
    }

    static Map<String, String> texts(JsonObject from, String name) {
        Map<String, String> texts = new LinkedHashMap<>();
        if (from.has(name)) from.getAsJsonObject(name).entrySet().forEach(e -> texts.put(e.getKey(), e.getValue().getAsString()));
        return texts;
    }

    static Map<String, byte[]> binaries(JsonObject from, String name) {
        Map<String, byte[]> binaries = new LinkedHashMap<>();
        texts(from, name).forEach((key, value) -> binaries.put(key, Base64.getDecoder().decode(value)));
        return binaries;
    }

    static JsonArray list(JsonObject from, String name) {
        return from.has(name) ? from.getAsJsonArray(name) : new JsonArray();
    }

    static JsonObject of(String name, JsonElement value) {
        JsonObject object = new JsonObject();
        object.add(name, value);
        return object;
    }

    /** What went wrong, with the innermost cause that names a client or broker error first. */
    static JsonObject error(Throwable failure) {
        Throwable shown = failure;
        while ((shown instanceof ExecutionException || shown instanceof CompletionException) && shown.getCause() != null) shown = shown.getCause();
        JsonObject error = new JsonObject();
        error.addProperty("kind", shown.getClass().getSimpleName());
        StringBuilder message = new StringBuilder();
        for (Throwable t = shown; t != null && message.length() < 2000; t = t.getCause()) {
            if (message.length() > 0) message.append(" <- ");
            message.append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
        }
        error.addProperty("message", message.toString());
        if (shown instanceof org.apache.rocketmq.client.exception.MQBrokerException broker) error.addProperty("code", broker.getResponseCode());
        if (shown instanceof org.apache.rocketmq.client.exception.MQClientException client) error.addProperty("code", client.getResponseCode());
        return error;
    }
}
