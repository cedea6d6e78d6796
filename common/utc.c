/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as text, in UTC. */
#include "common/utc.h"

#include <stdio.h>

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

size_t utc_text(uint64_t ns, char ret[UTC_TEXT_SIZE])
{
	uint64_t seconds = ns / 1000000000u;
	unsigned int year, month, day, rest = (unsigned int)(seconds % SECONDS_A_DAY);

	find_date((unsigned int)(seconds / SECONDS_A_DAY), &year, &month, &day);
	return (size_t)snprintf(ret, UTC_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u", year, month, day, rest / 3600,
				rest / 60 % 60, rest % 60);
}
