/*
 * A filter on libmilter that lets everything pass: the yardstick of benches/pipeline.
 * All callbacks are registered, so that everything is sent to it; every no-reply bit that is offered is taken.
 * Usage: libmilter_noop unix:/path | inet:port@127.0.0.1
 */
#include <libmilter/mfapi.h>
#include <stdio.h>

static const unsigned long NO_REPLY = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA
	| SMFIP_NR_UNKN | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;

/* All no-reply bits are negotiated together: MTAs offer all of them or none. */
static sfsistat on_step = SMFIS_CONTINUE;

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused1,
	unsigned long unused2, unsigned long *own_actions, unsigned long *own_steps, unsigned long *own1,
	unsigned long *own2)
{
	(void)ctx, (void)actions, (void)unused1, (void)unused2;
	*own_actions = 0;
	*own_steps = steps & NO_REPLY;
	*own1 = *own2 = 0;
	if (*own_steps == NO_REPLY)
		on_step = SMFIS_NOREPLY;
	else
		*own_steps = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx, (void)host, (void)address;
	return on_step;
}

static sfsistat on_text(SMFICTX *ctx, char *text)
{
	(void)ctx, (void)text;
	return on_step;
}

static sfsistat on_path(SMFICTX *ctx, char **arguments)
{
	(void)ctx, (void)arguments;
	return on_step;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx, (void)name, (void)value;
	return on_step;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *octets, size_t length)
{
	(void)ctx, (void)octets, (void)length;
	return on_step;
}

static sfsistat on_event(SMFICTX *ctx)
{
	(void)ctx;
	return on_step;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	(void)ctx, (void)command;
	return on_step;
}

static sfsistat on_end(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "libmilter-noop",
		.xxfi_version = SMFI_VERSION,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_text,
		.xxfi_envfrom = on_path,
		.xxfi_envrcpt = on_path,
		.xxfi_header = on_header,
		.xxfi_eoh = on_event,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_abort = on_end,
		.xxfi_close = on_end,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_event,
		.xxfi_negotiate = on_negotiate,
	};
	if (argc != 2) {
		fprintf(stderr, "usage: %s unix:/path | inet:port@127.0.0.1\n", argv[0]);
		return 2;
	}
	/* Its default of 20 would make hundreds of connections wait for each other. */
	if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_setbacklog(1024) == MI_FAILURE
		|| smfi_register(filter) == MI_FAILURE || smfi_opensocket(0) == MI_FAILURE)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
