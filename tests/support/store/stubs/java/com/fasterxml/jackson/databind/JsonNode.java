package com.fasterxml.jackson.databind;

import java.util.Iterator;

public abstract class JsonNode implements Iterable<JsonNode> {
    public abstract JsonNode get(String field);
    public abstract String asText();
    public abstract double asDouble();
    @Override public abstract Iterator<JsonNode> iterator();
}
