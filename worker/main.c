#include "worker/worker.h"

int main(void)
{
	return worker_run();
}
