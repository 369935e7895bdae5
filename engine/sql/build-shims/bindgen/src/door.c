/*
 * HeliosDB's door into PostgreSQL's raw parser, compiled among libpg_query 18.1.0's own files.
 *
 * libpg_query's entry points keep an error's message and cursor position and drop the rest. This one
 *
 *   - reports SQLSTATE, message, detail, hint and cursor position, taken from PostgreSQL's ErrorData;
 *   - collects notices and warnings (a truncated identifier, a nonstandard escape) instead of losing them;
 *   - takes the stack budget from the caller, who knows on which stack it runs: libpg_query measures the thread's own;
 *   - serialises trees nested deeper than libpg_query's 10,000 messages (about 5,000 operators);
 *   - uses one pthread key in the process, where libpg_query makes one in every thread.
 *
 * Everything that is returned is malloc'd and freed by helios_free. Not reentrant within a thread, like the library.
 */
#include "pg_query.h"

#include "postgres.h"
#include "gramparse.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "parser/scanner.h"
#include "utils/guc.h"
#include "utils/guc_hooks.h"
#include "utils/memutils.h"

#include <pthread.h>
#include <signal.h>

/* The serialiser once more, under another name and with another limit. */
#include "pg_query_internal.h"
#undef PG_QUERY_PROTOBUF_MAX_DEPTH
#define PG_QUERY_PROTOBUF_MAX_DEPTH helios_message_depth_max
static __thread int helios_message_depth_max;
#define pg_query_nodes_to_protobuf helios_nodes_to_protobuf
PgQueryProtobuf helios_nodes_to_protobuf(const void *obj);
#include "pg_query_outfuncs_protobuf.c"

typedef struct HeliosReport
{
	struct HeliosReport *next;
	int			is_error;
	int			elevel;
	char		sqlstate[8];
	int			cursorpos;		/* characters, from 1; 0 for none */
	char	   *message;
	char	   *detail;			/* or NULL */
	char	   *hint;			/* or NULL */
} HeliosReport;

typedef struct HeliosResult
{
	char	   *data;			/* protobuf ParseResult, or an array of PgQueryScanToken; NULL after an error */
	size_t		length;			/* bytes, or tokens */
	HeliosReport *reports;		/* in order; an error is the last */
} HeliosResult;

typedef struct HeliosRequest
{
	const char *sql;
	int			mode;			/* RawParseMode, or -1 to scan */
	int			standard_conforming_strings;
	int			escape_string_warning;
	int			backslash_quote;
	int			stack_kilobytes;
	int			message_depth_max;
} HeliosRequest;

extern __thread sig_atomic_t pg_query_initialized;
extern void pg_query_free_top_memory_context(MemoryContext context);

static pthread_key_t helios_thread_exit_key;
static pthread_once_t helios_once = PTHREAD_ONCE_INIT;
static __thread HeliosResult *helios_current;

static void
helios_thread_exit(void *context)
{
	pg_query_free_top_memory_context((MemoryContext) context);
}

static void
helios_make_key(void)
{
	if (pthread_key_create(&helios_thread_exit_key, helios_thread_exit) != 0)
		abort();
}

static void
helios_init(void)
{
	if (pg_query_initialized != 0)
		return;
	pthread_once(&helios_once, helios_make_key);
	pg_query_initialized = 1;
	MemoryContextInit();
	SetDatabaseEncoding(PG_UTF8);
	pthread_setspecific(helios_thread_exit_key, TopMemoryContext);
}

static char *
helios_copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void
helios_report(HeliosResult *result, ErrorData *error)
{
	HeliosReport *report = calloc(1, sizeof(HeliosReport));
	HeliosReport **last = &result->reports;
	int			state = error->sqlerrcode;

	if (report == NULL)
		abort();
	report->is_error = error->elevel >= ERROR;
	report->elevel = error->elevel;
	for (int i = 0; i < 5; i++)
	{
		report->sqlstate[i] = PGUNSIXBIT(state);
		state >>= 6;
	}
	report->cursorpos = error->cursorpos;
	report->message = helios_copy(error->message ? error->message : "missing error text");
	report->detail = helios_copy(error->detail);
	report->hint = helios_copy(error->hint);
	while (*last)
		last = &(*last)->next;
	*last = report;
}

/* emit_log_hook: keep what is below ERROR, print nothing. */
static void
helios_emit(ErrorData *error)
{
	error->output_to_server = false;
	if (helios_current && error->elevel < ERROR)
		helios_report(helios_current, error);
}

/* The head of flex's private state, for yyleng: as libpg_query reads it. */
struct HeliosScannerHead
{
	void	   *yyextra;
	FILE	   *yyin, *yyout;
	size_t		yy_buffer_stack_top, yy_buffer_stack_max;
	struct yy_buffer_state *yy_buffer_stack;
	char		yy_hold_char;
	size_t		yy_n_chars;
	size_t		yyleng;
};

static void
helios_scan(const char *sql, HeliosResult *result)
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		location;
	PgQueryScanToken *tokens = NULL;
	size_t		capacity = 0;
	size_t		count = 0;
	int			token;

	scanner = scanner_init(sql, &extra, &ScanKeywords, ScanKeywordTokens);
	while ((token = core_yylex(&value, &location, scanner)) != 0)
	{
		if (count == capacity)
		{
			capacity = capacity ? capacity * 2 : 64;
			tokens = realloc(tokens, sizeof(PgQueryScanToken) * capacity);
			if (tokens == NULL)
				elog(ERROR, "out of memory");
			/* owned by the result at all times: a scanner error jumps out of here */
			result->data = (char *) tokens;
		}
		tokens[count].start = location;
		switch (token)
		{
			case SCONST: case USCONST: case BCONST: case XCONST: case IDENT: case UIDENT:
				tokens[count].end = extra.yyllocend;
				break;
			default:
				tokens[count].end = location + ((struct HeliosScannerHead *) scanner)->yyleng;
		}
		tokens[count].token = token;
		switch (token)
		{
#define PG_KEYWORD(a,b,c,d) case b: tokens[count].keyword_kind = c + 1; break;
#include "parser/kwlist.h"
#undef PG_KEYWORD
			default:
				tokens[count].keyword_kind = 0;
		}
		count++;
	}
	scanner_finish(scanner);
	result->length = count;
}

void
helios_parse(const HeliosRequest *request, HeliosResult *result)
{
	MemoryContext context;
	int			old_log_min_messages = log_min_messages;
	pg_stack_base_t old_base;

	memset(result, 0, sizeof(*result));
	helios_init();
	old_base = set_stack_base();
	max_stack_depth = request->stack_kilobytes;
	assign_max_stack_depth(request->stack_kilobytes, NULL);
	helios_message_depth_max = request->message_depth_max;
	helios_current = result;
	emit_log_hook = helios_emit;
	log_min_messages = NOTICE;
	backslash_quote = request->backslash_quote;
	standard_conforming_strings = request->standard_conforming_strings;
	escape_string_warning = request->escape_string_warning;

	context = AllocSetContextCreate(TopMemoryContext, "helios", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (request->mode < 0)
			helios_scan(request->sql, result);
		else
		{
			List	   *tree = raw_parser(request->sql, (RawParseMode) request->mode);
			PgQueryProtobuf bytes;
			ListCell   *cell;

			/* A type name alone comes without a statement around it. */
			foreach(cell, tree)
			{
				if (!IsA(lfirst(cell), RawStmt))
				{
					RawStmt    *statement = makeNode(RawStmt);

					statement->stmt = lfirst(cell);
					lfirst(cell) = statement;
				}
			}
			bytes = helios_nodes_to_protobuf(tree);
			result->data = bytes.data;
			result->length = bytes.len;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		helios_report(result, CopyErrorData());
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);

	backslash_quote = BACKSLASH_QUOTE_SAFE_ENCODING;
	standard_conforming_strings = true;
	escape_string_warning = true;
	log_min_messages = old_log_min_messages;
	emit_log_hook = NULL;
	helios_current = NULL;
	restore_stack_base(old_base);
}

void
helios_free(HeliosResult *result)
{
	HeliosReport *report = result->reports;

	while (report)
	{
		HeliosReport *next = report->next;

		free(report->message);
		free(report->detail);
		free(report->hint);
		free(report);
		report = next;
	}
	free(result->data);
	memset(result, 0, sizeof(*result));
}
