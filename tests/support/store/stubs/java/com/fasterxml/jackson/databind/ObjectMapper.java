package com.fasterxml.jackson.databind;

import java.io.IOException;

public class ObjectMapper {
    public JsonNode readTree(String text) throws IOException { return null; }
}
