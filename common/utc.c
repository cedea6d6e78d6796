/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as text, in UTC. Digit by digit: a list of many containers would be printf(3) for a tenth of its time. */
#include "common/utc.h"

enum {
	SECONDS_A_DAY = 86400,
	DAYS_TO_EPOCH = 719468, /* from the first of March of the year 0 */
	DAYS_IN_4 = 1461,
	DAYS_IN_100 = 36524,
	DAYS_IN_400 = 146097,
	DAYS_IN_5_MONTHS = 153, /* from March or August on */
};

/* Years are taken to begin in March, so that the day that some of them have more is their last. */
static void find_date(unsigned int days, unsigned int *ret_year, unsigned int *ret_month, unsigned int *ret_day)
{
	unsigned int since = days + DAYS_TO_EPOCH, cycle = since / DAYS_IN_400, day = since % DAYS_IN_400, year, month;

	year = (day - day / (DAYS_IN_4 - 1) + day / DAYS_IN_100 - day / (DAYS_IN_400 - 1)) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / DAYS_IN_5_MONTHS;
	*ret_day = day - (DAYS_IN_5_MONTHS * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = cycle * 400 + year + (*ret_month <= 2);
}

static char *put_digits(char *at, unsigned int value, int n)
{
	for (int i = n - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + n;
}

static char *put(char *at, char before, unsigned int value)
{
	*at = before;
	return put_digits(at + 1, value, 2);
}

size_t utc_text(uint64_t ns, char ret[UTC_TEXT_SIZE])
{
	uint64_t seconds = ns / 1000000000u;
	unsigned int year, month, day, rest = (unsigned int)(seconds % SECONDS_A_DAY);
	char *at;

	find_date((unsigned int)(seconds / SECONDS_A_DAY), &year, &month, &day);
	at = put_digits(ret, year, 4);
	at = put(at, '-', month);
	at = put(at, '-', day);
	at = put(at, 'T', rest / 3600);
	at = put(at, ':', rest / 60 % 60);
	at = put(at, ':', rest % 60);
	*at = '\0';
	return (size_t)(at - ret);
}

size_t utc_text_exact(uint64_t ns, char ret[UTC_TEXT_SIZE])
{
	char *at = ret + utc_text(ns, ret);

	*at = '.';
	at = put_digits(at + 1, (unsigned int)(ns % 1000000000u), 9);
	while (at[-1] == '0')
		at--;
	if (at[-1] == '.')
		at--;
	*at++ = 'Z';
	*at = '\0';
	return (size_t)(at - ret);
}
