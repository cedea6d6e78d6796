/* SPDX-License-Identifier: Apache-2.0 */
/* Reading config.json as a text: what is no JSON, what is too large, and that no damage breaks the reader. */
#include "tests/unit/oci.h"

#include <json-c/json.h>

#include "shim/oci/field.h"

static void last_of_duplicate_keys_wins(void **state)
{
	struct oci_config *c = accept_with("\"process\":{\"cwd\":\"/a\",\"terminal\":true,\"cwd\":\"/"
					   "b\",\"terminal\":false},\"process\":{\"cwd\":\"/c\"}");

	assert_string_equal(c->process.cwd, "/c");
	oci_config_free(c);
	c = accept("{\"ociVersion\":5,\"root\":{\"path\":\"a\"},\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"b\","
		   "\"path\":\"c\"}}");
	assert_string_equal(c->version, "1.0.0");
	assert_string_equal(c->root_path, "c");
	oci_config_free(c);
}

static void strings_are_bytes(void **state)
{
	struct oci_config *c =
		accept_with("\"process\":{\"cwd\":\"/\",\"args\":[\"\xff\xfe\",\"\\u00e9\\n\\\"\",\"\"]}");

	assert_string_equal(c->process.args.v[0], "\xff\xfe");
	assert_string_equal(c->process.args.v[1], "\xc3\xa9\n\"");
	assert_string_equal(c->process.args.v[2], "");
	oci_config_free(c);
}

static void not_json(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "config.json: line 1, column 1: the file is empty" },
		{ " \n\t ", "config.json: line 2, column 3: the file is empty" },
		{ "{", "config.json: line 1, column 2: the text ends too early" },
		{ "{\n  \"a\": [1,\n", "config.json: line 3, column 1: the text ends too early" },
		{ "{\"a\":\"x", "config.json: line 1, column 8: the string has no end" },
		{ "{\"a\":nan}", "config.json: line 1, column 6: unexpected character" },
		{ "{\n\t'a': 1}", "config.json: line 2, column 2: unexpected character" },
		{ "{\"a\":\"\xc3\xa9\xc3\xa9\",?}", "config.json: line 1, column 11: unexpected character" },
		{ "{\"a\":01}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":-}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":1.}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":1e+}", "config.json: line 1, column 6: not a number" },
		{ "{\"a\":18446744073709551616}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":100000000000000000000}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":-9223372036854775809}", "config.json: line 1, column 6: the number is too large" },
		{ "{\"a\":1,}", "config.json: line 1, column 8: a closing bracket after a comma" },
		{ "{\"a\":[1,\n]}", "config.json: line 2, column 1: a closing bracket after a comma" },
		{ "{} {}", "config.json: line 1, column 4: the text goes on after its end" },
		{ "{}\n1", "config.json: line 2, column 1: the text goes on after its end" },
		{ "{\"a\":True}", "config.json: line 1, column 6: unexpected character" },
		{ "/* */{}", "config.json: line 1, column 1: unexpected character" },
		{ "{\"a\":\"x\ny\"}", "config.json: line 1, column 8: control character in a string" },
		{ "{\"a\":\"x\\u0000y\"}", "config.json: line 1, column 8: NUL character in a string" },
		{ "{\"a\\u0000b\":1}", "config.json: line 1, column 4: NUL character in a string" },
		{ "[]", "config.json: must be an object" },
		{ "null", "config.json: must be an object" },
		{ "\"x\"", "config.json: must be an object" },
	};
	/* json-c's own words, of which only the place is ours. */
	static const struct {
		const char *text, *start;
	} places[] = {
		{ "{]", "config.json: line 1, column 2: " },
		{ "{\n \"a\": 1\n \"b\":2}", "config.json: line 3, column 2: " },
		{ "[1 2]", "config.json: line 1, column 4: " },
		{ "{\"a\":\"\\q\"}", "config.json: line 1, column 8: " },
		{ "{\"a\" 1}", "config.json: line 1, column 6: " },
		{ "]", "config.json: line 1, column 1: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refuse_text(rows[i].text, ERR_CONFIG, rows[i].error);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct oci_config *c = NULL;
		struct err err = { 0 };

		assert_int_equal(oci_config_parse(places[i].text, strlen(places[i].text), &c, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (strncmp(err.text, places[i].start, strlen(places[i].start)) != 0)
			fail_msg("'%s' instead of '%s...'", err.text, places[i].start);
	}
	/* A NUL does not end the text. */
	refuse_len("{}\0{}", 5, ERR_CONFIG, "config.json: line 1, column 3: unexpected character");
	refuse_len("\0", 1, ERR_CONFIG, "config.json: line 1, column 1: unexpected character");
}

static void invalid_json_example(void **state)
{
	char *text = fixture("bad/invalid-json.json");
	struct oci_config *c = NULL;
	struct err err = { 0 };

	assert_int_equal(oci_config_parse(text, strlen(text), &c, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(strncmp(err.text, "config.json: line 1, column 2: ", 31), 0);
	free(text);
}

static char *repeat(const char *what, size_t n, const char *end)
{
	size_t len = strlen(what);
	char *text = xmalloc(len * n + strlen(end) + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, what, len);
	strcpy(text + n * len, end);
	return text;
}

static void limits(void **state)
{
	char *list = repeat("\"a=b\",", OCI_LIST_MAX, "\"a=b\"");
	char *members = xasprintf(P "\"env\":[%s]}", list), *deep, *large;
	struct oci_config *c;
	struct err err = { 0 };

	refuse_with(members, ERR_LIMIT, "process.env: has more than 10000 entries");
	free(members);
	list[strlen(list) - 6] = ' '; /* ",\"a=b\"" off the end */
	memset(list + strlen(list) - 5, ' ', 5);
	members = xasprintf(P "\"env\":[%s]}", list);
	c = accept_with(members);
	assert_int_equal(c->process.env.n, OCI_LIST_MAX);
	oci_config_free(c);
	free(members);
	free(list);

	deep = repeat("[", 1000000, "");
	members = xasprintf("{\"a\":%s", deep);
	assert_int_equal(oci_config_parse(members, strlen(members), &c, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "nesting too deep"));
	free(members);
	free(deep);
	deep = repeat("{\"a\":", 100000, "");
	assert_int_equal(oci_config_parse(deep, strlen(deep), &c, &err), -1);
	free(deep);
	deep = repeat("1,", 1500000, "1]}");
	memcpy(deep, "{\"a\":[", 6);
	refuse_text(deep, ERR_CONFIG, "config.json: line 1, column 800005: too many values");
	free(deep);

	large = repeat(" ", OCI_CONFIG_MAX + 1, "");
	refuse_text(large, ERR_LIMIT, "config.json: larger than 4194304 bytes");
	free(large);
	large = repeat("x", 3 << 20, "");
	members = xasprintf(P "\"args\":[\"%s\"]}", large);
	c = accept_with(members);
	assert_int_equal(strlen(c->process.args.v[0]), 3 << 20);
	oci_config_free(c);
	free(members);
	free(large);
}

/* Some answer in one line, whatever the text: the sanitizers watch over the rest. */
static int any_answer(const char *text, size_t len, struct err *err)
{
	struct oci_config *c = NULL;

	if (oci_config_parse(text, len, &c, err) == 0) {
		assert_non_null(c);
		oci_config_free(c);
		return 0;
	}
	assert_null(c);
	assert_true(err->code == ERR_CONFIG || err->code == ERR_UNSUPPORTED || err->code == ERR_LIMIT);
	assert_true(err->text[0] != '\0');
	assert_null(strchr(err->text, '\n'));
	return -1;
}

static void truncated_anywhere(void **state)
{
	char *text = fixture("default-spec.json");
	size_t whole = (size_t)(strrchr(text, '}') + 1 - text);
	struct err err;

	for (size_t len = 0; len < whole; len++) {
		/* A copy of that very size: reading past its end is seen. */
		char *part = xmalloc(len);
		struct oci_config *c;

		memcpy(part, text, len);
		assert_int_equal(oci_config_parse(part, len, &c, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_int_equal(strncmp(err.text, "config.json: line ", 18), 0);
		free(part);
	}
	assert_int_equal(any_answer(text, whole, &err), 0);
	free(text);
}

static void flipped_bits(void **state)
{
	char *text = fixture("default-spec.json");
	size_t len = strlen(text), accepted = 0;
	struct err err;

	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			accepted += any_answer(text, len, &err) == 0;
			text[i] ^= (char)(1 << bit);
		}
	}
	/* Letters inside of strings may change, braces may not. */
	assert_in_range(accepted, 1, len * 8 - 1);
	free(text);
}

/* Does the error name the field `key`? Some values are right in themselves, and another field is then wrong beside them. */
static bool names_field(const struct err *err, const char *key)
{
	static const struct {
		const char *key, *other;
	} beside[] = {
		{ "hostID", "process.user" },
		{ "containerID", "process.user" },
		{ "size", "process.user" },
		{ "major", "type: must be 'c' or 'b'" },
		{ "minor", "type: must be 'c' or 'b'" },
		{ "limit", "memory.swap: is below memory.limit" },
		{ "hard", "soft: is above the hard limit" },
	};

	if (strstr(err->text, key))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		if (!strcmp(key, beside[i].key) && strstr(err->text, beside[i].other))
			return true;
	return false;
}

/* Another value in the place of each value of the large example. */
static void replaced_values(void **state)
{
	static const char *const values[] = {
		"null",   "-1", "18446744073709551615", "1.5",  "\"\"",    "\"x\"", "\"x\\ny\"", "[]",
		"[null]", "{}", "{\"x\":[]}",           "true", "[[[{}]]]"
	};
	char *text = fixture("good/spec-example.json"), *version = strstr(text, "0.5.0-dev");
	size_t len = strlen(text), places = 0, refused = 0, named = 0;

	/* A version that is accepted: what else is wrong has to be seen. */
	assert_non_null(version);
	memcpy(version, "1.2", 3);
	for (size_t i = 0; i + 2 < len; i++) {
		size_t end, begin = i;
		cleanup_free char *key = NULL;

		if (text[i] != ':' || text[i + 1] != ' ' || text[i - 1] != '"')
			continue;
		places++;
		while (text[begin - 2] != '"')
			begin--;
		key = xasprintf("%.*s", (int)(i - begin), text + begin - 1);
		end = i + 2 + strcspn(text + i + 2, ",\n");
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			cleanup_free char *other = xasprintf("%.*s%s%s", (int)(i + 2), text, values[k], text + end);
			struct err err;

			if (any_answer(other, strlen(other), &err) < 0) {
				refused++;
				if (strncmp(err.text, "config.json: line ", 18) == 0)
					continue;
				named++;
				if (!names_field(&err, key))
					fail_msg("%s: %s: '%s'", key, values[k], err.text);
			}
		}
	}
	assert_true(places > 100);
	assert_true(refused > places * 5);
	assert_true(named > places * 4);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_of_duplicate_keys_wins),
		cmocka_unit_test(strings_are_bytes),
		cmocka_unit_test(not_json),
		cmocka_unit_test(invalid_json_example),
		cmocka_unit_test(limits),
		cmocka_unit_test(truncated_anywhere),
		cmocka_unit_test(flipped_bits),
		cmocka_unit_test(replaced_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
